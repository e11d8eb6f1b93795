/**
 * Pillow's filtered resampling, bit for bit: bilinear and bicubic.
 *
 * Pillow (`src/libImaging/Resample.c`) resizes in two passes with uint8 between them; when shrinking the filter widens
 * with the scale (antialiasing); weights are normalised in double and rounded to 22-bit fixed point. All of it is integer
 * arithmetic below 2^31, so plain numbers give the very same bytes. The order of the passes is Pillow 13's: earlier ones
 * always began with the horizontal one, which differs by some units where the height loses far more than the width.
 */
import type { Image } from "./image.ts";

const PRECISION_BITS = 22;
const ONE_HALF = 1 << (PRECISION_BITS - 1);

/** A weight by the distance from the output pixel's centre, in input pixels; zero from `support` on. */
export interface Filter {
  readonly support: number;
  weight(distance: number): number;
}

export const BILINEAR: Filter = {
  support: 1,
  weight: (distance) => Math.max(1 - Math.abs(distance), 0),
};

/** Keys' cubic convolution with a = -0.5, in Pillow's order of operations. */
export const BICUBIC: Filter = {
  support: 2,
  weight(distance) {
    const x = Math.abs(distance);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
  },
};

/** For each output position: where its window begins in the input, how long it is, and its weights. */
export interface Coefficients {
  readonly outputSize: number;
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [output size, taps], 22-bit fixed point. */
  readonly weights: Int32Array;
}

export function resampleCoefficients(inputSize: number, outputSize: number, filter: Filter): Coefficients {
  const scale = inputSize / outputSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * taps);
  const window = new Float64Array(taps);
  for (let out = 0; out < outputSize; out++) {
    const center = (out + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), inputSize);
    let sum = 0;
    for (let x = begin; x < end; x++) {
      // Multiplied by the reciprocal, as Pillow does: a division would round differently.
      const weight = filter.weight((x - center + 0.5) * (1 / filterScale));
      window[x - begin] = weight;
      sum += weight;
    }
    first[out] = begin;
    count[out] = end - begin;
    for (let k = 0; k < end - begin; k++) {
      const weight = window[k]! / sum;
      weights[out * taps + k] = Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * (1 << PRECISION_BITS));
    }
  }
  return { outputSize, taps, first, count, weights };
}

/** Both passes; one that is absent keeps its size, as Pillow leaves it out. */
export function resample(
  image: Image,
  horizontal: Coefficients | undefined,
  vertical: Coefficients | undefined,
): Image {
  const rowsLost = image.height - (vertical?.outputSize ?? image.height);
  const columnsLost = image.width - (horizontal?.outputSize ?? image.width);
  return rowsLost > 0 && rowsLost > 2 * columnsLost
    ? resampleRows(resampleColumns(image, vertical), horizontal)
    : resampleColumns(resampleRows(image, horizontal), vertical);
}

function resampleRows(image: Image, coefficients: Coefficients | undefined): Image {
  if (coefficients === undefined) return image;
  const { data: input, height, width: inputWidth, channels } = image;
  const { outputSize: outputWidth, taps, first, count, weights } = coefficients;
  const data = new Uint8Array(height * outputWidth * channels);
  const output = clamped(data);
  let position = 0;
  for (let row = 0; row < height; row++) {
    const rowStart = row * inputWidth * channels;
    for (let x = 0; x < outputWidth; x++) {
      const start = rowStart + first[x]! * channels;
      const weightStart = x * taps;
      const weightEnd = weightStart + count[x]!;
      if (channels === 3) {
        // Three sums at once read each weight once: twice as fast.
        let [red, green, blue] = [ONE_HALF, ONE_HALF, ONE_HALF];
        for (let k = weightStart, at = start; k < weightEnd; k++, at += 3) {
          const weight = weights[k]!;
          red = (red + Math.imul(input[at]!, weight)) | 0;
          green = (green + Math.imul(input[at + 1]!, weight)) | 0;
          blue = (blue + Math.imul(input[at + 2]!, weight)) | 0;
        }
        output[position] = red >> PRECISION_BITS;
        output[position + 1] = green >> PRECISION_BITS;
        output[position + 2] = blue >> PRECISION_BITS;
        position += 3;
        continue;
      }
      for (let channel = 0; channel < channels; channel++) {
        let sum = ONE_HALF;
        for (let k = weightStart, at = start + channel; k < weightEnd; k++, at += channels)
          sum = (sum + Math.imul(input[at]!, weights[k]!)) | 0;
        output[position++] = sum >> PRECISION_BITS;
      }
    }
  }
  return { data, height, width: outputWidth, channels };
}

function resampleColumns(image: Image, coefficients: Coefficients | undefined): Image {
  if (coefficients === undefined) return image;
  const { data: input, width, channels } = image;
  const { outputSize: outputHeight, taps, first, count, weights } = coefficients;
  // Of a row in bytes; a column is every stride-th byte.
  const stride = width * channels;
  const data = new Uint8Array(outputHeight * stride);
  const output = clamped(data);
  const sums = new Int32Array(stride);
  let position = 0;
  for (let y = 0; y < outputHeight; y++) {
    const weightStart = y * taps;
    const length = count[y]!;
    let start = first[y]! * stride;
    if (length === 2) {
      // Enlarging sees two pixels almost everywhere: without the sums it takes a third less time.
      const upper = weights[weightStart]!;
      const lower = weights[weightStart + 1]!;
      for (let at = start; at < start + stride; at++)
        output[position++] =
          (ONE_HALF + Math.imul(input[at]!, upper) + Math.imul(input[at + stride]!, lower)) >> PRECISION_BITS;
      continue;
    }
    // Row by row, two at a time: what is read lies side by side.
    sums.fill(ONE_HALF);
    for (let k = 0; k < length; k += 2) {
      const upper = weights[weightStart + k]!;
      const lower = k + 1 < length ? weights[weightStart + k + 1]! : 0;
      const next = start + (k + 1 < length ? stride : 0);
      for (let x = 0; x < stride; x++)
        sums[x] = (sums[x]! + Math.imul(input[start + x]!, upper) + Math.imul(input[next + x]!, lower)) | 0;
      start += 2 * stride;
    }
    for (let x = 0; x < stride; x++) output[position++] = sums[x]! >> PRECISION_BITS;
  }
  return { data, height: outputHeight, width, channels };
}

/**
 * A view that stores numbers beyond 0..255 as the nearer of the two: bicubic weights overshoot on both sides, and even
 * triangle weights, rounded up, can pass 255 by one.
 */
function clamped(data: Uint8Array): Uint8ClampedArray {
  return new Uint8ClampedArray(data.buffer, data.byteOffset, data.length);
}
