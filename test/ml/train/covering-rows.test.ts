import { expect, test } from "vitest";
import { createRng } from "../../../src/rng.ts";
import { coveringRows } from "./covering-rows.ts";

const sizes = [5, 4, 3, 2];
const rowsOf = (strength: 1 | 2, seed: number, fits?: (...given: [number, number, number, number]) => boolean) =>
  coveringRows({ sizes, strength, rng: createRng(seed, "rows"), ...(fits && { fits }) });

test("every value is in a row, in no more rows than there must be", () => {
  for (const seed of [1, 2, 3]) {
    const rows = rowsOf(1, seed);
    expect(rows).toHaveLength(5);
    for (const [factor, size] of sizes.entries())
      expect(new Set(rows.map((row) => row[factor])).size, `factor ${factor}`).toBe(size);
  }
});

test("every two values that may be together are, and no two that may not", () => {
  const forbidden = (factor: number, value: number, other: number, otherValue: number) =>
    factor === 0 && value === 4 && other === 1 && otherValue > 0;
  for (const seed of [1, 2, 3]) {
    const rows = rowsOf(2, seed, (...pair) => !forbidden(...pair));
    expect(rows.length).toBeLessThan(40);
    const seen = new Set<string>();
    for (const row of rows)
      for (const [factor, value] of row.entries())
        for (let other = factor + 1; other < sizes.length; other++) {
          expect(forbidden(factor, value, other, row[other]!)).toBe(false);
          seen.add(`${factor}=${value} ${other}=${row[other]}`);
        }
    // 20 + 15 + 10 + 12 + 8 + 6 pairs, without the three that may not be.
    expect(seen.size).toBe(68);
  }
});

test("a seed is a choice of rows", () => {
  expect(rowsOf(2, 7)).toEqual(rowsOf(2, 7));
  expect(rowsOf(2, 8)).not.toEqual(rowsOf(2, 7));
});
