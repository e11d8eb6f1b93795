/**
 * Bilinear resizing with Pillow's bits.
 *
 * Pillow (`src/libImaging/Resample.c`) resizes in two passes, horizontal first, with uint8 between them; when shrinking
 * the triangle filter widens with the scale (antialiasing); weights are normalised in double and rounded to 22-bit
 * fixed point. All of it is integer arithmetic below 2^31, so plain numbers give the very same bytes.
 */
import type { Image, ImageSize } from "./image.ts";

const PRECISION_BITS = 22;
const ONE_HALF = 1 << (PRECISION_BITS - 1);

/** For each output position: where its window begins in the input, how long it is, and its weights. */
interface Coefficients {
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [output size, taps], 22-bit fixed point. */
  readonly weights: Int32Array;
}

/** The weights of one resizing, made once and used for every image of that size. */
export interface ResizePlan {
  readonly from: ImageSize;
  readonly to: ImageSize;
  /** Absent where the size stays: Pillow then leaves the pass out. */
  readonly horizontal?: Coefficients;
  readonly vertical?: Coefficients;
}

export function planResize(from: ImageSize, to: ImageSize): ResizePlan {
  return {
    from,
    to,
    ...(from[1] === to[1] ? {} : { horizontal: bilinearCoefficients(from[1], to[1]) }),
    ...(from[0] === to[0] ? {} : { vertical: bilinearCoefficients(from[0], to[0]) }),
  };
}

/** `image` in the plan's size: byte for byte what `PIL.Image.resize(size, Image.BILINEAR)` gives. */
export function resizeBilinear(image: Image, plan: ResizePlan): Image {
  const { channels } = image;
  let { data, height, width } = image;
  if (height !== plan.from[0] || width !== plan.from[1])
    throw new Error(`the plan resizes images of ${plan.from[0]} x ${plan.from[1]}, not of ${height} x ${width}`);
  if (plan.horizontal !== undefined) {
    data = resizeRows(data, height, width, plan.to[1], channels, plan.horizontal);
    width = plan.to[1];
  }
  if (plan.vertical !== undefined) {
    data = resizeColumns(data, width * channels, plan.to[0], plan.vertical);
    height = plan.to[0];
  }
  return { data, height, width, channels };
}

function bilinearCoefficients(inputSize: number, outputSize: number): Coefficients {
  const scale = inputSize / outputSize;
  const filterScale = Math.max(scale, 1);
  const taps = Math.ceil(filterScale) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * taps);
  const window = new Float64Array(taps);
  for (let out = 0; out < outputSize; out++) {
    const center = (out + 0.5) * scale;
    const begin = Math.max(Math.trunc(center - filterScale + 0.5), 0);
    const end = Math.min(Math.trunc(center + filterScale + 0.5), inputSize);
    let sum = 0;
    for (let x = begin; x < end; x++) {
      // Multiplied by the reciprocal, as Pillow does: a division would round differently.
      const weight = Math.max(1 - Math.abs((x - center + 0.5) * (1 / filterScale)), 0);
      window[x - begin] = weight;
      sum += weight;
    }
    first[out] = begin;
    count[out] = end - begin;
    for (let k = 0; k < end - begin; k++)
      weights[out * taps + k] = Math.trunc(0.5 + (window[k]! / sum) * (1 << PRECISION_BITS));
  }
  return { taps, first, count, weights };
}

function resizeRows(
  input: Uint8Array,
  height: number,
  inputWidth: number,
  outputWidth: number,
  channels: number,
  { taps, first, count, weights }: Coefficients,
): Uint8Array {
  const output = new Uint8Array(height * outputWidth * channels);
  let position = 0;
  for (let row = 0; row < height; row++) {
    const rowStart = row * inputWidth * channels;
    for (let x = 0; x < outputWidth; x++) {
      const start = rowStart + first[x]! * channels;
      const weightStart = x * taps;
      const length = count[x]!;
      for (let channel = 0; channel < channels; channel++) {
        let sum = ONE_HALF;
        for (let k = 0, at = start + channel; k < length; k++, at += channels)
          sum = (sum + Math.imul(input[at]!, weights[weightStart + k]!)) | 0;
        output[position++] = clip(sum);
      }
    }
  }
  return output;
}

/** `stride` is the length of a row in bytes; a column is every stride-th byte. */
function resizeColumns(
  input: Uint8Array,
  stride: number,
  outputHeight: number,
  { taps, first, count, weights }: Coefficients,
): Uint8Array {
  const output = new Uint8Array(outputHeight * stride);
  let position = 0;
  for (let y = 0; y < outputHeight; y++) {
    const start = first[y]! * stride;
    const weightStart = y * taps;
    const length = count[y]!;
    if (length === 2) {
      // Enlarging sees two pixels almost everywhere: without the inner loop it takes a third less time.
      const [upper, lower] = [weights[weightStart]!, weights[weightStart + 1]!];
      for (let at = start; at < start + stride; at++)
        output[position++] = clip(ONE_HALF + Math.imul(input[at]!, upper) + Math.imul(input[at + stride]!, lower));
      continue;
    }
    for (let x = 0; x < stride; x++) {
      let sum = ONE_HALF;
      for (let k = 0, at = start + x; k < length; k++, at += stride)
        sum = (sum + Math.imul(input[at]!, weights[weightStart + k]!)) | 0;
      output[position++] = clip(sum);
    }
  }
  return output;
}

function clip(sum: number): number {
  // Triangle weights are never negative; rounding them up can still pass 255 by one.
  return Math.min(sum >> PRECISION_BITS, 255);
}
