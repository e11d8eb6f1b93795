/**
 * The numbers that the reference values were computed with (`reference/README.md` of the reference files): drawn from a
 * name and a counter, so that no weights have to be stored. In double precision.
 */

/** `count` values in [-1, 1): value i is mix32(fnv1a32(name) + i) / 2^31 - 1. */
export function draw(name: string, count: number): Float64Array {
  const start = fnv1a32(name);
  return Float64Array.from({ length: count }, (_, i) => mix32((start + i) >>> 0) / 0x80000000 - 1);
}

/** The value of a parameter or buffer, by torchvision's name, in PyTorch's layout. */
export function fill(name: string, shape: readonly number[]): Float64Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const drawn = draw(name, count);
  if (name.endsWith("running_mean")) return drawn.map((u) => 0.1 * u);
  if (name.endsWith("running_var")) return drawn.map((u) => 1 + 0.1 * u);
  if (shape.length === 1) return drawn.map(name.endsWith("weight") ? (u) => 1 + 0.1 * u : (u) => 0.1 * u);
  const scale = Math.sqrt(3 / (count / shape[0]!));
  return drawn.map((u) => u * scale);
}

/** draw("input") is in NCHW order; the same image in NHWC, as engines lay it out. */
export function fillImages([n, channels, height, width]: readonly [number, number, number, number]): Float64Array {
  const nchw = draw("input", n * channels * height * width);
  const nhwc = new Float64Array(nchw.length);
  const area = height * width;
  for (let image = 0; image < n; image++)
    for (let channel = 0; channel < channels; channel++)
      for (let at = 0; at < area; at++)
        nhwc[(image * area + at) * channels + channel] = nchw[(image * channels + channel) * area + at]!;
  return nhwc;
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function mix32(x: number): number {
  let mixed = x;
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b);
  mixed ^= mixed >>> 16;
  return mixed >>> 0;
}
