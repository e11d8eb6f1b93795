/**
 * Few rows of many factors in which every value occurs (strength 1), or every two values of two factors occur together
 * (strength 2): most of what a product of all would find, in a hundredth of its rows.
 */
import type { Rng } from "../../../src/rng.ts";

/** Of each factor, which of its values. */
export type CoveringRow = readonly number[];

export interface CoveringOptions {
  /** How many values each factor has. */
  readonly sizes: readonly number[];
  readonly strength: 1 | 2;
  /** Whether two values may be in one row; left out, all may. */
  readonly fits?: (factor: number, value: number, other: number, otherValue: number) => boolean;
  readonly rng: Rng;
}

type Draft = (number | undefined)[];

export function coveringRows({ sizes, strength, fits = () => true, rng }: CoveringOptions): readonly CoveringRow[] {
  /** By name: what is still in no row, as factors and values. */
  const open = new Map<string, Draft>();
  for (const [factor, size] of sizes.entries())
    for (let value = 0; value < size; value++) {
      if (strength === 1) open.set(`${factor}=${value}`, draft([factor, value]));
      else
        for (let other = factor + 1; other < sizes.length; other++)
          for (let otherValue = 0; otherValue < sizes[other]!; otherValue++)
            if (fits(factor, value, other, otherValue))
              open.set(`${factor}=${value} ${other}=${otherValue}`, draft([factor, value], [other, otherValue]));
    }
  const namesOf = (row: Draft, factor: number): readonly string[] =>
    strength === 1
      ? [`${factor}=${row[factor]}`]
      : row.flatMap((value, other) => {
          if (value === undefined || other === factor) return [];
          const [low, high] = factor < other ? [factor, other] : [other, factor];
          return [`${low}=${row[low]} ${high}=${row[high]}`];
        });
  const mayStand = (row: Draft, factor: number, value: number) =>
    row.every(
      (otherValue, other) => otherValue === undefined || other === factor || bothFit(factor, value, other, otherValue),
    );
  const bothFit = (factor: number, value: number, other: number, otherValue: number) =>
    factor < other ? fits(factor, value, other, otherValue) : fits(other, otherValue, factor, value);

  const rows: CoveringRow[] = [];
  for (const [, start] of open) {
    const row = [...start];
    for (const factor of rng.permutation(sizes.length)) {
      if (row[factor] !== undefined) continue;
      let best = -1;
      // In a random order, so that of several equally good ones none is preferred.
      for (const value of rng.permutation(sizes[factor]!)) {
        if (!mayStand(row, factor, value)) continue;
        const gain = namesOf(setIn(row, factor, value), factor).filter((name) => open.has(name)).length;
        if (gain > best) [best, row[factor]] = [gain, value];
      }
      if (row[factor] === undefined) throw new Error(`no value of factor ${factor} fits ${JSON.stringify(row)}`);
    }
    for (const factor of sizes.keys()) for (const name of namesOf(row, factor)) open.delete(name);
    rows.push(row as number[]);
  }
  return rows;

  function draft(...set: readonly (readonly [factor: number, value: number])[]): Draft {
    const row = new Array<number | undefined>(sizes.length).fill(undefined);
    for (const [factor, value] of set) row[factor] = value;
    return row;
  }
}

function setIn(row: Draft, factor: number, value: number): Draft {
  return row.map((before, at) => (at === factor ? value : before));
}
