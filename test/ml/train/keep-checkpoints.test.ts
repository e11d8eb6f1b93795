import { expect, test } from "vitest";
import { isKept, parseKeep } from "../../../src/ml/train/keep-checkpoints.ts";

test("keep is said in words", () => {
  expect(["all", "last", "best", "every 1", "every 12"].map(parseKeep)).toEqual([
    "all",
    "last",
    "best",
    { every: 1 },
    { every: 12 },
  ]);
  for (const text of ["", "every", "every 0", "every 05", "every 1.5", "every -1", "newest", "every 9007199254740993"])
    expect(() => parseKeep(text), text).toThrow("keep is all, last, best or every N, not");
});

test.each([
  ["all", "last", [1, 2, 3, 4, 5, 6, 7]],
  ["last", "last", [7]],
  ["last", "best", [4, 7]],
  ["best", "last", [4]],
  ["best", "best", [4]],
  ["every 3", "last", [3, 6, 7]],
  ["every 3", "best", [3, 4, 6, 7]],
] as const)("of seven epochs with the fourth the best, `keep: %s` with `select: %s` keeps %j", (keep, select, kept) => {
  const all = [1, 2, 3, 4, 5, 6, 7];
  expect(all.filter((epoch) => isKept(epoch, parseKeep(keep), { select, last: 7, best: 4 }))).toEqual(kept);
});
