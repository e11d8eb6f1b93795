import { describe, expect, test } from "vitest";
import { exactCosine } from "../../../src/ml/schedule/exact-cosine.ts";
import { openLoopRates } from "../../../src/ml/schedule/open-loop-rates.ts";

describe("open-loop rates", () => {
  test("start with the same rates whatever the horizon, except a cosine over all epochs", () => {
    const step = { type: "step", stepSize: 3, gamma: 0.1 } as const;
    expect(openLoopRates(step, 0.1, 20).slice(0, 8)).toEqual(openLoopRates(step, 0.1, 8));
    const cosine = { type: "cosine", minLr: 0 } as const;
    expect(openLoopRates(cosine, 0.1, 20)[1]).not.toBe(openLoopRates(cosine, 0.1, 8)[1]);
    const fixed = { ...cosine, epochs: 10 };
    expect(openLoopRates(fixed, 0.1, 20).slice(0, 8)).toEqual(openLoopRates(fixed, 0.1, 8));
  });

  test("a constant rate is constant, also behind a warm-up", () => {
    const rates = openLoopRates({ type: "constant", warmup: { epochs: 2, startFactor: 0.5 } }, 0.1, 5);
    expect(rates).toEqual([0.05, 0.05 * (1 + 0.5 / 1), 0.1, 0.1, 0.1].map((rate, i) => (i === 1 ? rates[1] : rate)));
    expect(rates[1]).toBeCloseTo(0.075, 15);
  });

  test("a warm-up longer than the training is cut", () => {
    const schedule = { type: "cosine", minLr: 0, warmup: { epochs: 9, startFactor: 0.1 } } as const;
    expect(openLoopRates(schedule, 1, 3)).toHaveLength(3);
  });

  test("a milestone that is named twice counts twice, as in PyTorch", () => {
    const schedule = { type: "multistep", milestones: [1, 1], gamma: 0.5 } as const;
    expect(openLoopRates(schedule, 1, 3)).toEqual([1, 0.25, 0.25]);
  });

  test("a cosine rises again behind its own epochs, as PyTorch's does", () => {
    const rates = openLoopRates({ type: "cosine", epochs: 4, minLr: 0.1 }, 1, 9);
    expect(rates[4]).toBeCloseTo(0.1, 12);
    expect(rates[8]).toBeCloseTo(1, 12);
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
