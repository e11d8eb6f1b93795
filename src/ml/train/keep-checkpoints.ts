/**
 * Which checkpoints of a chain are kept: the others are what garbage collection takes first. It decides nothing else; a
 * training that goes on from an earlier one ends in the same bits.
 */

export type KeepCheckpoints = "all" | "last" | "best" | { readonly every: number };

/** How a training is selected from, and how far it is. */
export interface KeptFrom {
  readonly select: "best" | "last";
  /** The newest epoch. */
  readonly last: number;
  readonly best: number;
}

/** Of `all`, `last`, `best` or `every 5`. */
export function parseKeep(text: string): KeepCheckpoints {
  if (text === "all" || text === "last" || text === "best") return text;
  const every = Number(/^every ([1-9]\d*)$/.exec(text)?.[1]);
  if (!Number.isSafeInteger(every)) throw new Error(`keep is all, last, best or every N, not ${JSON.stringify(text)}`);
  return { every };
}

/** Where the best model is wanted, no training goes on without it: then the best one is kept beside the last. */
export function isKept(epoch: number, keep: KeepCheckpoints, { select, last, best }: KeptFrom): boolean {
  if (keep === "all") return true;
  if (keep === "best") return epoch === best;
  if (epoch === last || (select === "best" && epoch === best)) return true;
  return keep !== "last" && epoch % keep.every === 0;
}
