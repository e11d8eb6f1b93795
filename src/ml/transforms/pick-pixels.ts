/** Resizing that copies the nearest pixel, as Pillow's `NEAREST` does. */
import type { Image } from "./image.ts";

/**
 * Which input position each output position takes: the one its centre falls into. Pillow (`Geometry.c`,
 * `ImagingScaleAffine`) adds up the step instead of multiplying, which rounds otherwise.
 */
export function pickPositions(inputSize: number, outputSize: number): Int32Array {
  const step = inputSize / outputSize;
  const positions = new Int32Array(outputSize);
  let position = step * 0.5;
  for (let out = 0; out < outputSize; out++) {
    positions[out] = Math.min(Math.trunc(position), inputSize - 1);
    position += step;
  }
  return positions;
}

/** The image of the pixels at `rows` x `columns`. */
export function pickPixels(image: Image, rows: Int32Array, columns: Int32Array): Image {
  const { data: input, width: inputWidth, channels } = image;
  const [height, width] = [rows.length, columns.length];
  const data = new Uint8Array(height * width * channels);
  let position = 0;
  for (let y = 0; y < height; y++) {
    const start = rows[y]! * inputWidth;
    for (let x = 0; x < width; x++) {
      const from = (start + columns[x]!) * channels;
      for (let channel = 0; channel < channels; channel++) data[position++] = input[from + channel]!;
    }
  }
  return { data, height, width, channels };
}
