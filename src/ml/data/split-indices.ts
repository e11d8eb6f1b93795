/**
 * Which images go where. `valid`, then `test`, then other names in code-unit order take floor(fraction x count) images
 * from the front of the order; `train` takes the rest. (So the published CIFAR-10 split: the first tenth of NumPy's
 * shuffle is the validation set.)
 */
import type { Rng } from "../../rng.ts";
import { numpyShuffled } from "./numpy-random.ts";

/** By split name; `train` is among them. */
export type Fractions = Readonly<Record<string, number>>;

/** How the images are put in order before they are dealt. */
export type SplitOrder =
  | { readonly shuffle: "none" }
  | { readonly shuffle: "numpy"; readonly seed: number }
  /** Every class is dealt in the same fractions, as far as whole images go; each split is in the dataset's order. */
  | { readonly shuffle: "stratified"; readonly rng: Rng; readonly labels: Int32Array };

/** How many of `count` images each split takes, in the order in which they take them. */
export function splitCounts(fractions: Fractions, count: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  let taken = 0;
  for (const name of Object.keys(fractions).sort(bySplitOrder)) {
    const size = name === "train" ? count - taken : Math.floor(fractions[name]! * count);
    counts.set(name, size);
    taken += size;
  }
  return counts;
}

/** Indices into a dataset of `count` images for each split. No index is in two; together they are all. */
export function splitIndices(fractions: Fractions, count: number, order: SplitOrder): ReadonlyMap<string, Int32Array> {
  const counts = splitCounts(fractions, count);
  if (order.shuffle === "stratified") return stratify(fractions, counts, order.labels, order.rng);
  const shuffled =
    order.shuffle === "numpy" ? numpyShuffled(order.seed, count) : Int32Array.from({ length: count }, (_, i) => i);
  const splits = new Map<string, Int32Array>();
  let taken = 0;
  for (const [name, size] of counts) {
    splits.set(name, shuffled.slice(taken, taken + size));
    taken += size;
  }
  return splits;
}

function stratify(fractions: Fractions, counts: ReadonlyMap<string, number>, labels: Int32Array, rng: Rng) {
  // For each class its images, in an order of their own, from which the splits take.
  const waiting = [...groupByLabel(labels)].map(([label, indices]) => {
    const order = rng.fork(label).permutation(indices.length);
    return Array.from(order, (i) => indices[i]!);
  });
  const classSizes = waiting.map((indices) => indices.length);
  const splits = new Map<string, Int32Array>();
  for (const [name, total] of counts) {
    const shares =
      name === "train"
        ? waiting.map((indices) => indices.length)
        : largestRemainder(
            classSizes.map((size) => size * fractions[name]!),
            total,
          );
    const chosen = waiting.flatMap((indices, i) => indices.splice(0, shares[i]!));
    splits.set(name, Int32Array.from(chosen).sort());
  }
  return splits;
}

function groupByLabel(labels: Int32Array): ReadonlyMap<number, readonly number[]> {
  const groups = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const group = groups.get(labels[i]!);
    if (group === undefined) groups.set(labels[i]!, [i]);
    else group.push(i);
  }
  return new Map([...groups].sort(([a], [b]) => a - b));
}

/** Whole numbers near `exact` that add up to `total`: floors, and one more where the remainder was largest. */
function largestRemainder(exact: readonly number[], total: number): readonly number[] {
  const whole = exact.map(Math.floor);
  const missing = total - whole.reduce((sum, n) => sum + n, 0);
  const byRemainder = exact.map((value, i) => ({ i, remainder: value - Math.floor(value) }));
  byRemainder.sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, missing)) whole[i]!++;
  return whole;
}

function bySplitOrder(a: string, b: string): number {
  const rank = (name: string) => ["valid", "test"].indexOf(name) + 1 || (name === "train" ? 4 : 3);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}
