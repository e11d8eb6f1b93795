/** Where the histories of two trainings part. */
import { expect, test } from "vitest";
import { compareHistories } from "../../src/cache/compare-histories.ts";
import type { JsonObject } from "../../src/json.ts";

/** Three minibatches an epoch. */
const history = (losses: readonly number[], accuracies: readonly number[]): JsonObject => ({
  batchSize: 8,
  iterationsPerEpoch: 3,
  loss: losses,
  epochs: accuracies.map((validAccuracy, i) => ({ epoch: i + 1, validAccuracy })),
});
const base = history([6, 5, 4, 3, 2, 1], [0.5, 0.75]);

test("equal ones do not part", () => {
  expect(compareHistories(base, base)).toBeUndefined();
});

test("the first loss that differs names epoch and minibatch", () => {
  expect(compareHistories(base, history([6, 5, 4, 3, 2.5, 0], [0.5, 0.8]))).toEqual({
    epochs: { before: 2, after: 2 },
    equalEpochs: 1,
    minibatch: { minibatch: 2, of: 3, before: 2, after: 2.5 },
  });
  expect(compareHistories(base, history([7, 5, 4, 3, 2, 1], [0.5, 0.75]))).toMatchObject({
    equalEpochs: 0,
    minibatch: { minibatch: 1 },
  });
});

test("where every loss of an epoch is equal, what was measured behind it is told", () => {
  expect(compareHistories(base, history([6, 5, 4, 3, 2, 0], [0.25, 0.75]))).toEqual({
    epochs: { before: 2, after: 2 },
    equalEpochs: 0,
    measured: {
      differing: 1,
      first: [{ path: "validAccuracy", before: 0.5, after: 0.25 }],
      maxAbsolute: 0.25,
      maxRelative: 0.5,
    },
  });
});

test("a longer one parts where the shorter one ends", () => {
  expect(compareHistories(base, history([6, 5, 4, 3, 2, 1, 9, 9, 9], [0.5, 0.75, 1]))).toEqual({
    epochs: { before: 2, after: 3 },
    equalEpochs: 2,
  });
});

test("epochs of other lengths cannot be compared", () => {
  expect(compareHistories(base, { ...base, iterationsPerEpoch: 2 })).toMatchObject({
    equalEpochs: 0,
    incomparable: "an epoch has 3 minibatches in one and 2 in the other",
  });
});

test("what is no history is none", () => {
  expect(compareHistories({ loss: [] }, base)).toBeUndefined();
  expect(compareHistories(undefined, base)).toBeUndefined();
});
