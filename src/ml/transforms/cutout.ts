/**
 * `cutout` (DeVries & Taylor 2017, arXiv:1708.04552): a square is painted over, and may hang over the edge. The authors
 * erase after normalising, with 0; here it is uint8 (see `random-erasing.ts` on what `mean` is then).
 */
import type { Rng } from "../../rng.ts";
import { type CompiledTransform, type TransformInput, TransformProblem } from "./compiled-transform.ts";
import { erase } from "./erase.ts";
import { type ErasedValue, erasingColor } from "./erased-value.ts";
import type { ImageSize } from "./image.ts";
import type { Box } from "./random-box.ts";

/** A number is the side of the square in pixels. Left out, the value is the mean. */
export type CutoutSetting = number | { readonly size: number; readonly value?: ErasedValue };

export function compileCutout(setting: CutoutSetting, { size, channels }: TransformInput): CompiledTransform {
  const { size: side, value = "mean" } = typeof setting === "number" ? { size: setting } : setting;
  if (side >= 2 * Math.max(...size))
    throw new TransformProblem(
      `cutout erases ${side} x ${side} pixels, which is all of an image of ${size[0]} x ${size[1]} wherever its centre is`,
      `a square of half the image's side is usual: cutout: ${Math.max(1, Math.floor(Math.min(...size) / 2))}`,
      ["cutout"],
    );
  const color = erasingColor(value, channels, ["cutout", "value"]);
  return { size, apply: (image, rng) => erase(image, drawCutoutBox(rng, size, side), color()) };
}

/**
 * A square of `side` pixels whose centre is any pixel of the image. Even sides are the authors' own; of odd sides their
 * code erases a pixel less.
 */
export function drawCutoutBox(rng: Rng, [height, width]: ImageSize, side: number): Box {
  const half = Math.floor(side / 2);
  const top = rng.integer(height) - half;
  const left = rng.integer(width) - half;
  return { top, left, height: side, width: side };
}
