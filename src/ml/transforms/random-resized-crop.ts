/** `randomResizedCrop`: a crop of random area, shape and place, brought to one size (torchvision's class of that name). */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { crop } from "./crop.ts";
import type { Image, ImageSize } from "./image.ts";
import { type Box, drawResizedCropBox } from "./random-box.ts";
import { orderedRange, type Range } from "./range.ts";
import { type Interpolation, planResize, resize } from "./resize.ts";
import { isSizeSetting, type SizeSetting, squareSize } from "./size-setting.ts";

/** Left out, the others are torchvision's: area 0.08 to 1, width / height 3/4 to 4/3, bilinear. */
export type RandomResizedCropSetting =
  | SizeSetting
  | {
      readonly size: SizeSetting;
      readonly scale?: Range;
      readonly ratio?: Range;
      readonly interpolation?: Interpolation;
    };

export function compileRandomResizedCrop(
  setting: RandomResizedCropSetting,
  { size }: TransformInput,
): CompiledTransform {
  const given = isSizeSetting(setting) ? { size: setting } : setting;
  const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], interpolation = "bilinear" } = given;
  const to = squareSize(given.size);
  const ranges = {
    scale: orderedRange(scale, ["randomResizedCrop", "scale"]),
    ratio: orderedRange(ratio, ["randomResizedCrop", "ratio"]),
  };
  return {
    size: to,
    apply: (image, rng) => resizedCrop(image, drawResizedCropBox(rng, size, ranges), to, interpolation),
  };
}

/** torchvision's `resized_crop`. The box lies inside the image. */
export function resizedCrop(image: Image, box: Box, to: ImageSize, interpolation: Interpolation): Image {
  const from: ImageSize = [box.height, box.width];
  return resize(crop(image, box.top, box.left, from), planResize(from, to, interpolation));
}
