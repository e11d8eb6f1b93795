/** `centerCrop`: the middle of the image. */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { centerCrop } from "./crop.ts";
import { cropSize, type SizeSetting } from "./size-setting.ts";

export type CenterCropSetting = SizeSetting;

export function compileCenterCrop(setting: CenterCropSetting, { size }: TransformInput): CompiledTransform {
  const to = cropSize("centerCrop", setting, size, 0);
  return { size: to, apply: (image) => centerCrop(image, to) };
}
