/** Sizes as a pipeline writes them. */
import { TransformProblem } from "./compiled-transform.ts";
import type { ImageSize } from "./image.ts";

/** A number means a square, but for `resize`: there it is the shorter side, and the longer keeps the proportion. */
export type SizeSetting = number | readonly [height: number, width: number];

export function isSizeSetting(setting: SizeSetting | object): setting is SizeSetting {
  return typeof setting === "number" || Array.isArray(setting);
}

export function squareSize(setting: SizeSetting): ImageSize {
  return typeof setting === "number" ? [setting, setting] : setting;
}

/** The size of a crop. Throws `TransformProblem` where it does not fit into the image with its padding. */
export function cropSize(name: string, setting: SizeSetting, size: ImageSize, padding: number): ImageSize {
  const to = squareSize(setting);
  if (to[0] > size[0] + 2 * padding || to[1] > size[1] + 2 * padding) {
    const padded = padding > 0 ? ` with ${padding} pixels of padding on each side` : "";
    throw new TransformProblem(
      `${name} takes ${to[0]} x ${to[1]} pixels, but the image is ${size[0]} x ${size[1]} there${padded}`,
      "put a `resize` before it, or take fewer pixels",
    );
  }
  return to;
}
