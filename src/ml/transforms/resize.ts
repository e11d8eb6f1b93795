/** Resizing with Pillow's bits, by any of its three filters that torchvision's `Resize` is used with. */
import type { Image, ImageSize } from "./image.ts";
import { pickPixels, pickPositions } from "./pick-pixels.ts";
import { BICUBIC, BILINEAR, type Coefficients, resample, resampleCoefficients } from "./resample.ts";

/** `bilinear` and `bicubic` widen with the scale when shrinking (antialiasing), as Pillow's do; `nearest` never mixes. */
export type Interpolation = "nearest" | "bilinear" | "bicubic";

/** What one resizing needs to know, made once and used for every image of that size. */
export interface ResizePlan {
  readonly from: ImageSize;
  readonly to: ImageSize;
  apply(image: Image): Image;
}

export function planResize(from: ImageSize, to: ImageSize, interpolation: Interpolation = "bilinear"): ResizePlan {
  if (from[0] === to[0] && from[1] === to[1]) return { from, to, apply: (image) => image };
  if (interpolation === "nearest") {
    const rows = pickPositions(from[0], to[0]);
    const columns = pickPositions(from[1], to[1]);
    return { from, to, apply: (image) => pickPixels(image, rows, columns) };
  }
  const filter = interpolation === "bilinear" ? BILINEAR : BICUBIC;
  const pass = (input: number, output: number): Coefficients | undefined =>
    input === output ? undefined : resampleCoefficients(input, output, filter);
  const [vertical, horizontal] = [pass(from[0], to[0]), pass(from[1], to[1])];
  return { from, to, apply: (image) => resample(image, horizontal, vertical) };
}

/** `image` in the plan's size: byte for byte what `PIL.Image.resize(size, filter)` gives. */
export function resize(image: Image, plan: ResizePlan): Image {
  const { from, apply } = plan;
  if (image.height !== from[0] || image.width !== from[1])
    throw new Error(`the plan resizes images of ${from[0]} x ${from[1]}, not of ${image.height} x ${image.width}`);
  return apply(image);
}
