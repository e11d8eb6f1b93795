import { describe, expect, test } from "vitest";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import type { Parameter } from "../../src/ml/nn/network.ts";
import { createOptimizer } from "../../src/ml/optim/optimizer.ts";
import type { OptimizerSettings } from "../../src/ml/optim/optimizer-settings.ts";
import { draw } from "./draw.ts";
import reference from "./reference/optimizers.json" with { type: "json" };

const sgd = {
  type: "sgd",
  learningRate: 0.1,
  momentum: 0,
  dampening: 0,
  nesterov: false,
  weightDecay: 0,
  weightDecayOn: "all",
} as const;
const adam = {
  type: "adam",
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  weightDecayOn: "all",
} as const;
const cases: Record<keyof typeof reference, OptimizerSettings> = {
  sgd,
  sgd_momentum: { ...sgd, momentum: 0.9 },
  sgd_momentum_decay: { ...sgd, momentum: 0.9, weightDecay: 5e-4 },
  sgd_nesterov_decay: { ...sgd, momentum: 0.9, weightDecay: 5e-4, nesterov: true },
  adam,
  adam_decay: { ...adam, weightDecay: 1e-2 },
  adamw: { ...adam, type: "adamw", weightDecay: 1e-2 },
};

describe("twenty steps in double precision end where PyTorch's do", () => {
  test.each(Object.entries(cases))("%s", (name, settings) => {
    const { parameters_after: expected } = reference[name as keyof typeof reference];
    const engine = createReferenceEngine();
    const parameter: Parameter = { name: "w", variable: engine.variable(draw("w", 6), [6]), role: "weight" };
    const optimizer = createOptimizer(engine, [parameter], settings);
    let rate = settings.learningRate;
    for (let step = 1; step <= 20; step++) {
      if (step === 11) rate *= 0.1;
      const gradient = engine.upload(draw(`gradient${step}`, 6), [6]);
      optimizer.update(parameter, gradient, { learningRate: rate, step });
      engine.dispose(gradient);
      const row = (expected as Record<string, number[]>)[step];
      const values = engine.downloadFloat64(parameter.variable);
      // Both sides are double: what differs is the order of a few roundings.
      row?.forEach((value, i) => {
        expect(Math.abs(values[i]! - value), `step ${step}, element ${i}`).toBeLessThan(1e-14);
      });
    }
    optimizer.close();
    expect(engine.liveTensors()).toBe(0);
  });
});
