/** `randomCrop`: a window drawn uniformly, after `padding` zero pixels are put around the image. */
import type { Rng } from "../../rng.ts";
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { crop } from "./crop.ts";
import type { ImageSize } from "./image.ts";
import { cropSize, isSizeSetting, type SizeSetting } from "./size-setting.ts";

export type RandomCropSetting = SizeSetting | { readonly size: SizeSetting; readonly padding?: number };

export function compileRandomCrop(setting: RandomCropSetting, { size }: TransformInput): CompiledTransform {
  const { size: window, padding = 0 } = isSizeSetting(setting) ? { size: setting } : setting;
  const to = cropSize("randomCrop", window, size, padding);
  return {
    size: to,
    apply(image, rng) {
      const [top, left] = drawWindow(rng, size, to, padding);
      return crop(image, top, left, to);
    },
  };
}

/** Top and left of a window of size `to`; negative in the padding. */
export function drawWindow(rng: Rng, size: ImageSize, to: ImageSize, padding: number): readonly [number, number] {
  const top = rng.integer(size[0] + 2 * padding - to[0] + 1) - padding;
  const left = rng.integer(size[1] + 2 * padding - to[1] + 1) - padding;
  return [top, left];
}
