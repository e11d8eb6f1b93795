/** What every engine's optimiser updates must do: PyTorch's arithmetic, over several steps. */
import type { AdamSettings, SgdSettings } from "../engine.ts";
import type { Values } from "./reference.ts";
import * as reference from "./reference.ts";
import { type ContractCase, casesOf, drawn } from "./workbench.ts";

const STEPS = [1, 2, 3, 4, 5, 6];

export function updateCases(): readonly ContractCase[] {
  return [
    ...casesOf("SGD", (add) => {
      const settings: SgdSettings[] = [
        { learningRate: 0.1, momentum: 0, weightDecay: 0, nesterov: false },
        { learningRate: 0.1, momentum: 0, weightDecay: 0.05, nesterov: false },
        { learningRate: 0.1, momentum: 0.9, weightDecay: 0, nesterov: false },
        { learningRate: 0.05, momentum: 0.9, weightDecay: 0.05, nesterov: false },
        { learningRate: 0.05, momentum: 0.9, weightDecay: 0.05, nesterov: true },
        { learningRate: 0, momentum: 0.9, weightDecay: 0.05, nesterov: false },
      ];
      for (const setting of settings)
        add(`with ${JSON.stringify(setting)} is PyTorch's, step after step`, async (bench) => {
          const shape = [3, 4, 5];
          let weight = drawn("weight", ...shape);
          let slot = setting.momentum === 0 ? undefined : reference.zeros(...shape);
          const weights = bench.variable(weight);
          const slots = slot && bench.variable(slot);
          for (const step of STEPS) {
            const gradient = drawn(`gradient ${step}`, ...shape);
            const gradients = bench.tensor(gradient);
            bench.engine.sgdUpdate(weights, gradients, slots, setting);
            await bench.expect(gradients, gradient, "the gradient, unchanged");
            const moved = [...weight.data].map((w, i) =>
              reference.sgdStep(w, gradient.data[i]!, slot?.data[i], setting),
            );
            weight = { shape, data: Float64Array.from(moved, (m) => m.weight) };
            slot = slot && { shape, data: Float64Array.from(moved, (m) => m.slot!) };
          }
          await bench.expect(weights, weight, "weight");
          if (slots !== undefined && slot !== undefined) await bench.expect(slots, slot, "velocity");
        });
    }),

    ...casesOf("Adam", (add) => {
      const plain = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
      const settings: AdamSettings[] = [
        { ...plain, weightDecay: 0, decoupled: false },
        { ...plain, weightDecay: 0.1, decoupled: false },
        { ...plain, weightDecay: 0.1, decoupled: true },
        { ...plain, beta1: 0.5, beta2: 0.9, epsilon: 0.1, weightDecay: 0, decoupled: true },
      ];
      for (const setting of settings)
        add(`with ${JSON.stringify(setting)} is PyTorch's, step after step`, async (bench) => {
          const shape = [3, 4, 5];
          let state: { weight: Values; first: Values; second: Values } = {
            weight: drawn("weight", ...shape),
            first: reference.zeros(...shape),
            second: reference.zeros(...shape),
          };
          const weights = bench.variable(state.weight);
          const firsts = bench.variable(state.first);
          const seconds = bench.variable(state.second);
          for (const step of STEPS) {
            const gradient = drawn(`gradient ${step}`, ...shape);
            // A gradient of exactly zero leaves 0 / (0 + epsilon), not a NaN.
            gradient.data[0] = 0;
            bench.engine.adamUpdate(weights, bench.tensor(gradient), firsts, seconds, setting, step);
            const { weight, first, second } = state;
            const moved = [...weight.data].map((w, i) =>
              reference.adamStep(w, gradient.data[i]!, first.data[i]!, second.data[i]!, setting, step),
            );
            state = {
              weight: { shape, data: Float64Array.from(moved, (m) => m.weight) },
              first: { shape, data: Float64Array.from(moved, (m) => m.first) },
              second: { shape, data: Float64Array.from(moved, (m) => m.second) },
            };
          }
          await bench.expect(weights, state.weight, "weight");
          await bench.expect(firsts, state.first, "first moment");
          await bench.expect(seconds, state.second, "second moment");
        });
    }),
  ];
}
