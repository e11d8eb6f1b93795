import { describe, expect, test } from "vitest";
import { epochRates, rateAt } from "../../../src/ml/schedule/epoch-rates.ts";
import { exactCosine } from "../../../src/ml/schedule/exact-cosine.ts";
import type { ScheduleSettings } from "../../../src/ml/schedule/schedule-settings.ts";

/** One rate for each epoch. */
function perEpoch(schedule: ScheduleSettings, baseRate: number, epochs: number): number[] {
  return epochRates(schedule, baseRate, { epochs, stepsPerEpoch: 4 }).map(({ learningRates }) => {
    expect(learningRates).toHaveLength(1);
    return learningRates[0]!;
  });
}

/** One rate for each step. */
function perStep(schedule: ScheduleSettings, baseRate: number, epochs: number, stepsPerEpoch: number): number[] {
  return epochRates(schedule, baseRate, { epochs, stepsPerEpoch }).flatMap((rates) =>
    Array.from({ length: stepsPerEpoch }, (_, i) => rateAt(rates, i + 1).learningRate),
  );
}

describe("rates per epoch", () => {
  test("start with the same rates whatever the horizon, except a cosine over all epochs", () => {
    const step = { type: "step", stepSize: 3, gamma: 0.1 } as const;
    expect(perEpoch(step, 0.1, 20).slice(0, 8)).toEqual(perEpoch(step, 0.1, 8));
    const cosine = { type: "cosine", minLr: 0 } as const;
    expect(perEpoch(cosine, 0.1, 20)[1]).not.toBe(perEpoch(cosine, 0.1, 8)[1]);
    const fixed = { ...cosine, epochs: 10 };
    expect(perEpoch(fixed, 0.1, 20).slice(0, 8)).toEqual(perEpoch(fixed, 0.1, 8));
  });

  test("a constant rate is constant, also behind a warm-up", () => {
    const rates = perEpoch({ type: "constant", warmup: { epochs: 2, startFactor: 0.5 } }, 0.1, 5);
    expect(rates).toEqual([0.05, 0.05 * (1 + 0.5 / 1), 0.1, 0.1, 0.1]);
  });

  test("a warm-up longer than the training is cut", () => {
    const schedule = { type: "cosine", minLr: 0, warmup: { epochs: 9, startFactor: 0.1 } } as const;
    const rates = perEpoch(schedule, 1, 3);
    expect(rates).toHaveLength(3);
    expect(rates[2]).toBeLessThan(0.4);
    expect(perStep({ ...schedule, warmup: { steps: 9, startFactor: 0.1 } }, 1, 2, 3)).toHaveLength(6);
  });

  test("a milestone that is named twice counts twice, as in PyTorch", () => {
    const schedule = { type: "multistep", milestones: [1, 1], gamma: 0.5 } as const;
    expect(perEpoch(schedule, 1, 3)).toEqual([1, 0.25, 0.25]);
  });

  test("a cosine rises again behind its own epochs, as PyTorch's does", () => {
    const rates = perEpoch({ type: "cosine", epochs: 4, minLr: 0.1 }, 1, 9);
    expect(rates[4]).toBeCloseTo(0.1, 12);
    expect(rates[8]).toBeCloseTo(1, 12);
  });

  test("a warm-up that rises once an epoch takes whole epochs", () => {
    const schedule = { type: "constant", warmup: { epochs: 1.5, startFactor: 0.5 } } as const;
    expect(() => epochRates(schedule, 1, { epochs: 3, stepsPerEpoch: 4 })).toThrow("takes whole epochs, not 6 steps");
  });
});

describe("rates per step", () => {
  test("of one step an epoch are the rates per epoch", () => {
    const schedule = { type: "cosine", minLr: 0.1, warmup: { epochs: 2, startFactor: 0.1 } } as const;
    expect(perStep({ ...schedule, per: "step" }, 1, 9, 1)).toEqual(perStep(schedule, 1, 9, 1));
  });

  test("a warm-up of a fraction of an epoch rises step by step, and the schedule per epoch counts that epoch", () => {
    const warmup = { epochs: 0.5, per: "step", startFactor: 0.5 } as const;
    const rates = perStep({ type: "step", stepSize: 1, gamma: 0.5, warmup }, 1, 3, 4);
    expect(rates).toEqual([0.5, 0.75, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]);
  });

  test("a warm-up per epoch before a schedule per step holds its rate for an epoch", () => {
    const warmup = { epochs: 2, startFactor: 0.5 } as const;
    const rates = perStep({ type: "step", stepSize: 2, gamma: 0.5, per: "step", warmup }, 1, 3, 4);
    expect(rates).toEqual([0.5, 0.5, 0.5, 0.5, 0.75, 0.75, 0.75, 0.75, 1, 1, 0.5, 0.5]);
  });

  test("a plateau's rates are known until its warm-up ends", () => {
    const plateau = {
      type: "plateau",
      metric: "trainLoss",
      mode: "auto",
      factor: 0.5,
      patience: 0,
      threshold: 0,
      thresholdMode: "abs",
      cooldown: 0,
      minLr: 0,
    } as const;
    const length = { epochs: 5, stepsPerEpoch: 4 };
    expect(epochRates(plateau, 1, length)).toEqual([]);
    const warm = epochRates({ ...plateau, warmup: { steps: 6, startFactor: 0.4 } }, 1, length);
    expect(warm).toHaveLength(2);
    expect([...warm[1]!.learningRates].map((rate) => Number(rate.toFixed(12)))).toEqual([0.8, 0.9, 1, 1]);
  });

  test("one cycle that PyTorch would divide by zero for is refused", () => {
    const schedule = {
      type: "oneCycle",
      pctStart: 0.25,
      divFactor: 25,
      finalDivFactor: 1e4,
      annealStrategy: "cos",
      cycleMomentum: false,
      baseMomentum: 0.85,
      maxMomentum: 0.95,
    } as const;
    expect(() => epochRates(schedule, 1, { epochs: 2, stepsPerEpoch: 2 })).toThrow("which is one step");
    expect(perStep(schedule, 1, 2, 4)[1]).toBe(1);
  });
});

describe("exactCosine", () => {
  test("is what is known, and never further from Math.cos than one unit in the last place", () => {
    expect(exactCosine(0)).toBe(1);
    // cos of the double nearest to pi / 2, from its known distance to it.
    expect(exactCosine(Math.PI / 2)).toBe(6.123233995736766e-17);
    expect(exactCosine(Math.PI)).toBe(-1);
    expect(exactCosine(1)).toBe(0.5403023058681398);
    for (let i = 0; i < 300; i++) {
      const x = i * 0.37;
      expect(Math.abs(exactCosine(x) - Math.cos(x))).toBeLessThan(2.3e-16);
    }
  });

  test("refuses what is not an angle", () => {
    expect(() => exactCosine(Number.NaN)).toThrow("out of range");
    expect(() => exactCosine(1e9)).toThrow("out of range");
  });
});
