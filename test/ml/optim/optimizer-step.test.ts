import { expect, test } from "vitest";
import { optimizerStepOf, stepsPerEpoch } from "../../../src/ml/optim/optimizer-step.ts";

test("without accumulation every minibatch is a step", () => {
  expect(stepsPerEpoch(5)).toBe(5);
  expect(optimizerStepOf(1, 0, 5)).toEqual({ step: 1, inEpoch: 1, ends: true });
  expect(optimizerStepOf(3, 4, 5)).toEqual({ step: 15, inEpoch: 5, ends: true });
});

test("a step ends with its last minibatch or with the epoch, and each epoch begins anew", () => {
  expect(stepsPerEpoch(5, 2)).toBe(3);
  const steps = [1, 2].flatMap((epoch) => [0, 1, 2, 3, 4].map((batch) => optimizerStepOf(epoch, batch, 5, 2)));
  expect(steps.map(({ step }) => step)).toEqual([1, 1, 2, 2, 3, 4, 4, 5, 5, 6]);
  expect(steps.map(({ inEpoch }) => inEpoch)).toEqual([1, 1, 2, 2, 3, 1, 1, 2, 2, 3]);
  expect(steps.map(({ ends }) => ends)).toEqual([false, true, false, true, true, false, true, false, true, true]);
});

test("more minibatches than an epoch has make one step an epoch", () => {
  expect(stepsPerEpoch(5, 100)).toBe(1);
  expect(optimizerStepOf(2, 3, 5, 100)).toEqual({ step: 2, inEpoch: 1, ends: false });
  expect(optimizerStepOf(2, 4, 5, 100)).toEqual({ step: 2, inEpoch: 1, ends: true });
});
