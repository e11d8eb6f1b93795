/**
 * How long stages will take together: each begins when what it needs is done and its share of the machine is free, of
 * several the one after which most time is expected first, as the executor does it.
 */

export interface ExpectedStage {
  readonly stage: string;
  readonly needs: readonly string[];
  /** From now on. */
  readonly expectedMs: number;
  /** The part of the machine that it takes, above 0 and up to 1. */
  readonly share: number;
  /** It has its share already. */
  readonly isRunning?: boolean;
}

/** Milliseconds until the last is done. Needs that are not among the stages are done. Stages come after what they need. */
export function expectedRunMs(stages: readonly ExpectedStage[]): number {
  const at = new Map(stages.map(({ stage }, index) => [stage, index]));
  const missing = stages.map(() => 0);
  const neededBy = stages.map((): number[] => []);
  for (const [index, { needs }] of stages.entries())
    for (const need of new Set(needs)) {
      const maker = at.get(need);
      if (maker === undefined) continue;
      missing[index]!++;
      neededBy[maker]!.push(index);
    }
  const longest = stages.map(() => 0);
  for (let index = stages.length - 1; index >= 0; index--)
    longest[index] = stages[index]!.expectedMs + Math.max(0, ...neededBy[index]!.map((after) => longest[after]!));

  let nowMs = 0;
  let free = 1;
  /** Both sorted with the next one last. */
  const ready: number[] = [];
  const running: { readonly index: number; readonly endMs: number }[] = [];
  const start = (index: number): void => {
    free -= stages[index]!.share;
    const endMs = nowMs + stages[index]!.expectedMs;
    running.splice(
      placeIn(running, (other) => other.endMs > endMs),
      0,
      { index, endMs },
    );
  };
  const queue = (index: number): void => {
    ready.splice(
      placeIn(ready, (other) => longest[other]! < longest[index]!),
      0,
      index,
    );
  };
  for (const [index, { isRunning }] of stages.entries())
    if (isRunning === true) start(index);
    else if (missing[index] === 0) queue(index);
  for (;;) {
    while (ready.length > 0 && (stages[ready.at(-1)!]!.share <= free + SLACK || running.length === 0))
      start(ready.pop()!);
    const ended = running.pop();
    if (ended === undefined) return nowMs;
    nowMs = ended.endMs;
    free += stages[ended.index]!.share;
    for (const after of neededBy[ended.index]!) {
      missing[after]!--;
      if (missing[after] === 0 && stages[after]!.isRunning !== true) queue(after);
    }
  }
}

/** Shares add up to one whatever the rounding. */
const SLACK = 1e-9;

/** Where to insert so that all that stay before `isBefore` do. */
function placeIn<T>(sorted: readonly T[], isBefore: (other: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}
