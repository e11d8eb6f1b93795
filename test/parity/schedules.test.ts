import { describe, expect, test } from "vitest";
import { type EpochRates, epochRates, rateAt, type TrainingLength } from "../../src/ml/schedule/epoch-rates.ts";
import type { OneCycleSchedule, OpenLoopSchedule } from "../../src/ml/schedule/schedule-settings.ts";
import reference from "./reference/schedules.json" with { type: "json" };
import perStep from "./reference/schedules-per-step.json" with { type: "json" };

const cases: Record<keyof typeof reference, OpenLoopSchedule> = {
  "step_10_0.1": { type: "step", stepSize: 10, gamma: 0.1 },
  "multistep_8_20_0.2": { type: "multistep", milestones: [8, 20], gamma: 0.2 },
  cosine_30: { type: "cosine", minLr: 0 },
  "cosine_30_min_0.001": { type: "cosine", minLr: 0.001 },
  linear_warmup_5_then_cosine_25: { type: "cosine", minLr: 0, warmup: { epochs: 5, startFactor: 0.2 } },
};

/** Of every step, in order. */
function allSteps(rates: EpochRates[], { stepsPerEpoch }: TrainingLength) {
  return rates.flatMap((epoch) => Array.from({ length: stepsPerEpoch }, (_, i) => rateAt(epoch, i + 1)));
}

describe("learning rates per epoch are PyTorch's to the last digit", () => {
  test.each(Object.entries(cases))("%s", (name, schedule) => {
    const length = { epochs: 30, stepsPerEpoch: 3 };
    const rates = epochRates(schedule, 0.1, length);
    expect(rates.map(({ learningRates }) => learningRates.length)).toEqual(new Array(30).fill(1));
    expect(rates.map(({ learningRates }) => learningRates[0])).toEqual(reference[name as keyof typeof reference]);
  });
});

const oneCycle: OneCycleSchedule = {
  type: "oneCycle",
  pctStart: 0.3,
  divFactor: 25,
  finalDivFactor: 1e4,
  annealStrategy: "cos",
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
};
const stepwise: Record<keyof typeof perStep.cases, OpenLoopSchedule> = {
  one_cycle: oneCycle,
  one_cycle_linear: { ...oneCycle, annealStrategy: "linear", pctStart: 0.4, divFactor: 10, finalDivFactor: 100 },
  one_cycle_momenta: { ...oneCycle, baseMomentum: 0.8, maxMomentum: 0.9, pctStart: 0.25 },
  one_cycle_own_momentum: { ...oneCycle, cycleMomentum: false },
  one_cycle_falling_only: { ...oneCycle, pctStart: 0 },
  one_cycle_adam: oneCycle,
  step: { type: "step", stepSize: 10, gamma: 0.5, per: "step" },
  multistep: { type: "multistep", milestones: [5, 18, 18], gamma: 0.5, per: "step" },
  cosine: { type: "cosine", minLr: 0, per: "step" },
  cosine_two_epochs: { type: "cosine", epochs: 2, minLr: 1e-3, per: "step" },
  warmup_cosine: { type: "cosine", minLr: 0, per: "step", warmup: { steps: 10, startFactor: 0.1 } },
  warmup_step: { type: "step", stepSize: 6, gamma: 0.5, per: "step", warmup: { steps: 4, startFactor: 0.2 } },
  warmup_step_per_epoch: { type: "step", stepSize: 2, gamma: 0.5, warmup: { steps: 10, startFactor: 0.1 } },
  warmup_whole_epochs_cosine_per_epoch: {
    type: "cosine",
    minLr: 0,
    warmup: { epochs: 2, per: "step", startFactor: 0.1 },
  },
};

describe("learning rates and momenta per step are PyTorch's", () => {
  test.each(Object.entries(stepwise))("%s", (name, schedule) => {
    const expected = perStep.cases[name as keyof typeof perStep.cases];
    const steps = allSteps(epochRates(schedule, 0.1, perStep), perStep);
    expect(steps).toHaveLength(perStep.epochs * perStep.stepsPerEpoch);
    // The cosine of PyTorch's C library is not always the correctly rounded one: the last digit may differ.
    steps.forEach(({ learningRate, momentum }, i) => {
      expect(Math.abs(learningRate / expected.rates[i]! - 1), `rate of step ${i + 1}`).toBeLessThan(1e-13);
      expect(Math.abs((momentum ?? 0.9) / expected.momenta[i]! - 1), `momentum of step ${i + 1}`).toBeLessThan(1e-14);
    });
  });
});
