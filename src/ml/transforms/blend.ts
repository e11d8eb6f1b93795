/**
 * Brightness, contrast and saturation as Pillow's `ImageEnhance` changes them: a mix of the image with a degenerate of
 * itself (black, its mean grey, its own greys). The mix is in float32 and truncated (`Blend.c`): factor 0 is the
 * degenerate, 1 the image, and beyond 1 the difference grows.
 */
import type { Image } from "./image.ts";

/** Mixed with black. `factor` from 0 on. */
export function adjustBrightness(image: Image, factor: number): Image {
  return blendWithValue(image, 0, factor);
}

/** Mixed with the mean of its grey values, rounded. `factor` from 0 on; 1 or 3 channels. */
export function adjustContrast(image: Image, factor: number): Image {
  const { data, channels } = image;
  let sum = 0;
  if (channels === 1) for (let i = 0; i < data.length; i++) sum += data[i]!;
  else for (let i = 0; i < data.length; i += 3) sum += greyOf(data[i]!, data[i + 1]!, data[i + 2]!);
  return blendWithValue(image, Math.floor(sum / (data.length / channels) + 0.5), factor);
}

/** Mixed with its greys. `factor` from 0 on. Images of one channel have none and stay as they are. */
export function adjustSaturation(image: Image, factor: number): Image {
  const { data: input, channels } = image;
  if (channels === 1 || factor === 1) return image;
  const data = new Uint8Array(input.length);
  const alpha = Math.fround(factor);
  for (let i = 0; i < input.length; i += 3) {
    const grey = greyOf(input[i]!, input[i + 1]!, input[i + 2]!);
    data[i] = blend(grey, input[i]!, alpha);
    data[i + 1] = blend(grey, input[i + 1]!, alpha);
    data[i + 2] = blend(grey, input[i + 2]!, alpha);
  }
  return { ...image, data };
}

/** One value on the other side: what becomes of a pixel depends on it alone, so 256 results say all. */
function blendWithValue(image: Image, value: number, factor: number): Image {
  if (factor === 1) return image;
  const alpha = Math.fround(factor);
  const table = new Uint8Array(256);
  for (let pixel = 0; pixel < 256; pixel++) table[pixel] = blend(value, pixel, alpha);
  const { data: input } = image;
  const data = new Uint8Array(input.length);
  for (let i = 0; i < input.length; i++) data[i] = table[input[i]!]!;
  return { ...image, data };
}

/** The one line of `Blend.c`, each operation rounded to float32. */
function blend(from: number, to: number, alpha: number): number {
  const mixed = Math.fround(from + Math.fround(alpha * (to - from)));
  return mixed <= 0 ? 0 : mixed >= 255 ? 255 : Math.trunc(mixed);
}

/** Pillow's `convert("L")`: ITU-R 601-2 luma in 16-bit fixed point, rounded. */
function greyOf(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >>> 16;
}
