/** A share of things drawn at random, as options say it: the same seed draws the same. */
import { createRng } from "../rng.ts";
import { type App, UsageError } from "./app.ts";

export interface RandomSample {
  /** More than 0, up to 1. */
  readonly share: number;
  readonly seed: number;
}

/** `option` is how the share is given. Without a seed another one each time; it is printed, to ask for the same again. */
export function readSample(
  app: Pick<App, "newRunId">,
  option: string,
  share: string | undefined,
  seed: string | undefined,
): RandomSample | undefined {
  if (share === undefined) {
    if (seed !== undefined) throw new UsageError("--seed chooses a sample", `as in: ${option} 20% --seed 7`);
    return undefined;
  }
  const percent = /^(\d+(?:\.\d+)?) ?%$/.exec(share)?.[1];
  const part = Number(percent) / 100;
  if (percent === undefined || part <= 0 || part > 1)
    throw new UsageError(`${option} ${share}: more than 0% and at most 100% is needed`, `as in: ${option} 20%`);
  if (seed !== undefined && !/^\d{1,15}$/.test(seed))
    throw new UsageError(`--seed ${seed}: a whole number from 0 on is needed`, "as in: --seed 7");
  // The last part of a run's id is random.
  return { share: part, seed: seed === undefined ? Number.parseInt(app.newRunId().slice(-6), 16) : Number(seed) };
}

/** Places of `count` things in the order in which they are drawn. */
export function drawingOrder(count: number, seed: number, purpose: string): readonly number[] {
  return [...createRng(seed, purpose, "stages").permutation(count)];
}

/** How many of `count` a share is: at least one. */
export function sizeOfSample(count: number, { share }: RandomSample): number {
  return Math.ceil(share * count);
}
