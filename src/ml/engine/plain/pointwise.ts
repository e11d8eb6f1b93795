/** Ops that treat elements alone or channel by channel. Results have the precision of the first argument. */
import { type Reals, zerosLike } from "./storage.ts";

export function relu(x: Reals): Reals {
  const y = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i++) y[i] = Math.max(x[i]!, 0);
  return y;
}

export function reluGradient(dy: Reals, y: Reals): Reals {
  const dx = zerosLike(dy, dy.length);
  for (let i = 0; i < dy.length; i++) dx[i] = y[i]! > 0 ? dy[i]! : 0;
  return dx;
}

export function add(a: Reals, b: Reals): Reals {
  const sum = zerosLike(a, a.length);
  for (let i = 0; i < a.length; i++) sum[i] = a[i]! + b[i]!;
  return sum;
}

export function multiplyElements(a: Reals, b: Reals): Reals {
  const product = zerosLike(a, a.length);
  for (let i = 0; i < a.length; i++) product[i] = a[i]! * b[i]!;
  return product;
}

/** x [..., c] plus bias [c]. */
export function addBias(x: Reals, bias: Reals): Reals {
  const channels = bias.length;
  const y = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i += channels) for (let c = 0; c < channels; c++) y[i + c] = x[i + c]! + bias[c]!;
  return y;
}

/** x [..., c] summed over all axes but the last. */
export function sumRows(x: Reals, channels: number): Reals {
  const sums = new Float64Array(channels);
  for (let i = 0; i < x.length; i += channels) for (let c = 0; c < channels; c++) sums[c] = sums[c]! + x[i + c]!;
  const out = zerosLike(x, channels);
  out.set(sums);
  return out;
}

/** (pixel / 255 - mean) / std per channel, in double. */
export function normalizeImages(pixels: Uint8Array, mean: readonly number[], std: readonly number[]): Float64Array {
  const channels = mean.length;
  const out = new Float64Array(pixels.length);
  for (let i = 0; i < pixels.length; i += channels)
    for (let c = 0; c < channels; c++) out[i + c] = (pixels[i + c]! / 255 - mean[c]!) / std[c]!;
  return out;
}

export function scale(x: Reals, factor: number): Reals {
  const y = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i++) y[i] = x[i]! * factor;
  return y;
}

export function clamp(x: Reals, limit: number): Reals {
  const y = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i++) y[i] = Math.min(Math.max(x[i]!, -limit), limit);
  return y;
}

/** In double. */
export function sumOfSquares(x: Reals): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return sum;
}
