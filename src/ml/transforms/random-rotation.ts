/** `randomRotation`: turned about the centre by a random angle (torchvision's class of that name, `expand` off). */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { checkFill, type Fill } from "./fill.ts";
import { drawBetween, orderedRange, type Range, rangeAround } from "./range.ts";
import { type RotateInterpolation, rotate } from "./rotate.ts";

/** A number: so many degrees either way. Left out, the others are torchvision's: nearest, black. */
export type RandomRotationSetting =
  | number
  | Range
  | {
      readonly degrees: number | Range;
      readonly interpolation?: RotateInterpolation;
      readonly fill?: Fill;
    };

export function compileRandomRotation(
  setting: RandomRotationSetting,
  { size, channels }: TransformInput,
): CompiledTransform {
  const isShort = typeof setting === "number" || "length" in setting;
  const given = isShort ? { degrees: setting } : setting;
  const { interpolation = "nearest", fill = 0 } = given;
  const path = isShort ? ["randomRotation"] : ["randomRotation", "degrees"];
  const degrees = orderedRange(rangeAround(given.degrees, 0, Number.NEGATIVE_INFINITY), path);
  checkFill(fill, channels, ["randomRotation", "fill"]);
  return { size, apply: (image, rng) => rotate(image, drawBetween(rng, degrees), interpolation, fill) };
}
