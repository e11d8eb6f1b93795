/**
 * `randomErasing` (Zhong et al. 2017, arXiv:1708.04896): a random rectangle is painted over.
 *
 * torchvision does it after normalising, where 0 is the mean. Pixels here are uint8 until the engine normalises them, so
 * the colour is one of 0..255, and `mean` is the mean rounded to the nearest such: at most 0.5 / 255 / std off 0 once it
 * is normalised. torchvision's `value="random"` (normal noise) has no counterpart.
 */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { TransformProblem } from "./compiled-transform.ts";
import { erase } from "./erase.ts";
import { type ErasedValue, erasingColor } from "./erased-value.ts";
import { drawErasedBox } from "./random-box.ts";
import { orderedRange, type Range } from "./range.ts";

/** A number is the probability. Left out, the others are torchvision's: 0.5, area 0.02 to 0.33, shape 0.3 to 3.3, mean. */
export type RandomErasingSetting =
  | number
  | {
      readonly probability?: number;
      readonly scale?: Range;
      readonly ratio?: Range;
      readonly value?: ErasedValue;
    };

export function compileRandomErasing(
  setting: RandomErasingSetting,
  { size, channels }: TransformInput,
): CompiledTransform {
  const given = typeof setting === "number" ? { probability: setting } : setting;
  const { probability = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = "mean" } = given;
  const ranges = {
    scale: orderedRange(scale, ["randomErasing", "scale"]),
    ratio: orderedRange(ratio, ["randomErasing", "ratio"]),
  };
  if (scale[0] >= 1)
    throw new TransformProblem(
      "randomErasing would never erase: a rectangle as large as the image is not drawn",
      "let `scale` begin below 1",
      ["randomErasing", "scale"],
    );
  const color = erasingColor(value, channels, ["randomErasing", "value"]);
  return {
    size,
    apply(image, rng) {
      if (rng.uniform() >= probability) return image;
      const box = drawErasedBox(rng, size, ranges);
      return box === undefined ? image : erase(image, box, color());
    },
  };
}
