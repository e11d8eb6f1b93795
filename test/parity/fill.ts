/**
 * The weights and images that the models' reference values were computed with: drawn by name, so that none have to be
 * stored. In double precision.
 */
import { draw } from "./draw.ts";

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
