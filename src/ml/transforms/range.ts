/** Ranges that numbers are drawn from. */
import type { Rng } from "../../rng.ts";
import { TransformProblem } from "./compiled-transform.ts";

export type Range = readonly [least: number, greatest: number];

/** Uniform in the range. */
export function drawBetween(rng: Rng, [least, greatest]: Range): number {
  return least + rng.uniform() * (greatest - least);
}

/** `range`. Throws `TransformProblem` where it ends before it begins; `path` is its place in the transform. */
export function orderedRange(range: Range, path: readonly string[]): Range {
  const [least, greatest] = range;
  if (least > greatest)
    throw new TransformProblem(
      `the range ${path.join(".")} ends at ${greatest}, before it begins at ${least}`,
      `write the smaller number first: [${greatest}, ${least}]`,
      path,
    );
  return range;
}

/** A range that is written as one number: so far to either side of `center`, but not below `floor`. */
export function rangeAround(setting: number | Range, center: number, floor: number): Range {
  return typeof setting === "number" ? [Math.max(center - setting, floor), center + setting] : setting;
}
