/** `randomHorizontalFlip`: left and right exchanged with this probability. */
import type { CompiledTransform, TransformInput } from "./compiled-transform.ts";
import { flipHorizontal } from "./flip.ts";

/** The probability. */
export type RandomHorizontalFlipSetting = number;

export function compileRandomHorizontalFlip(
  probability: RandomHorizontalFlipSetting,
  { size }: TransformInput,
): CompiledTransform {
  return { size, apply: (image, rng) => (rng.uniform() < probability ? flipHorizontal(image) : image) };
}
