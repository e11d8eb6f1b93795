/** `resize`: to a size, or to a length of the shorter side. */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import type { ImageSize } from "./image.ts";
import { type Interpolation, planResize, resize } from "./resize.ts";
import { isSizeSetting, type SizeSetting } from "./size-setting.ts";

/** Left out, the interpolation is bilinear. */
export type ResizeSetting = SizeSetting | { readonly size: SizeSetting; readonly interpolation?: Interpolation };

export function compileResize(setting: ResizeSetting, { size }: TransformInput): CompiledTransform {
  const { size: wanted, interpolation = "bilinear" } = isSizeSetting(setting) ? { size: setting } : setting;
  const to = resizedSize(wanted, size);
  const plan = planResize(size, to, interpolation);
  return { size: to, apply: (image) => resize(image, plan) };
}

/** torchvision's `Resize`: a number is the shorter side, the other one is truncated to a whole number. */
function resizedSize(setting: SizeSetting, [height, width]: ImageSize): ImageSize {
  if (typeof setting !== "number") return setting;
  if (height <= width) return [setting, Math.trunc((setting * width) / height)];
  return [Math.trunc((setting * height) / width), setting];
}
