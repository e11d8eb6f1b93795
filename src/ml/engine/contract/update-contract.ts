/** What every engine's optimiser updates must do: PyTorch's arithmetic, over several steps. */
import type { AdamSettings, RmspropSettings, SgdSettings } from "../engine.ts";
import { checkEqual } from "./check.ts";
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
        { learningRate: 0.05, momentum: 0.9, weightDecay: 0, nesterov: true },
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

    ...casesOf("RMSprop", (add) => {
      const plain = { learningRate: 0.01, alpha: 0.9, epsilon: 1e-8, momentum: 0, weightDecay: 0 };
      const forms: (RmspropSettings & { readonly centered: boolean })[] = [
        { ...plain, centered: false },
        { ...plain, weightDecay: 0.1, centered: false },
        { ...plain, momentum: 0.9, centered: false },
        { ...plain, epsilon: 0.1, centered: true },
        { ...plain, alpha: 0.5, momentum: 0.9, weightDecay: 0.1, epsilon: 0.01, centered: true },
      ];
      for (const { centered, ...setting } of forms)
        add(`with ${JSON.stringify({ centered, ...setting })} is PyTorch's, step after step`, async (bench) => {
          const shape = [3, 4, 5];
          const weight = drawn("weight", ...shape);
          const zero = (exists: boolean) => (exists ? reference.zeros(...shape) : undefined);
          const [meanSquare, meanGradient] = [reference.zeros(...shape), zero(centered)];
          const velocity = zero(setting.momentum !== 0);
          const weights = bench.variable(weight);
          const slots = {
            meanSquare: bench.variable(meanSquare),
            meanGradient: meanGradient && bench.variable(meanGradient),
            velocity: velocity && bench.variable(velocity),
          };
          for (const step of STEPS) {
            const gradient = drawn(`gradient ${step}`, ...shape);
            // A gradient of exactly zero leaves 0 / (0 + epsilon), not a NaN.
            if (setting.weightDecay === 0) gradient.data[0] = 0;
            const gradients = bench.tensor(gradient);
            bench.engine.rmspropUpdate(weights, gradients, slots, setting);
            await bench.expect(gradients, gradient, "the gradient, unchanged");
            for (let i = 0; i < weight.data.length; i++) {
              const [at, before] = [i, { meanGradient: meanGradient?.data[i], velocity: velocity?.data[i] }];
              const state = { weight: weight.data[at]!, meanSquare: meanSquare.data[at]!, ...before };
              const moved = reference.rmspropStep(state, gradient.data[at]!, setting);
              weight.data[at] = moved.weight;
              meanSquare.data[at] = moved.meanSquare;
              if (meanGradient !== undefined) meanGradient.data[at] = moved.meanGradient!;
              if (velocity !== undefined) velocity.data[at] = moved.velocity!;
            }
          }
          await bench.expect(weights, weight, "weight");
          await bench.expect(slots.meanSquare, meanSquare, "mean square");
          if (meanGradient && slots.meanGradient) await bench.expect(slots.meanGradient, meanGradient, "mean gradient");
          if (velocity && slots.velocity) await bench.expect(slots.velocity, velocity, "velocity");
        });
    }),

    ...casesOf("averages of weights", (add) => {
      for (const share of [0.001, 0.1, 0.5])
        add(`move a share of ${share} towards the weight, which stays`, async (bench) => {
          const [weight, before] = [drawn("weight", 5, 7), drawn("average", 5, 7)];
          const [value, average] = [bench.variable(weight), bench.variable(before)];
          bench.engine.averageUpdate(average, value, share);
          bench.engine.averageUpdate(average, value, share);
          const kept = (1 - share) ** 2;
          const data = before.data.map((a, i) => kept * a + (1 - kept) * weight.data[i]!);
          await bench.expect(average, { shape: [5, 7], data }, "the average, twice moved");
          await bench.expect(value, weight, "the weight");
        });
    }),

    ...casesOf("whole gradients", (add) => {
      for (const shape of [[1], [3, 4, 5], [3, 3, 2, 16], [2500]]) {
        const x = drawn("x", ...shape);
        const of = `of [${shape}]`;
        add(`scaled ${of}`, async (bench) => {
          const gradient = bench.tensor(x);
          for (const factor of [0.3, -2, 0])
            await bench.expectResult(bench.engine.scale(gradient, factor), reference.scale(x, factor), `by ${factor}`);
          await bench.expect(gradient, x, "the gradient, unchanged");
        });
        add(`clamped ${of}`, async (bench) => {
          const gradient = bench.tensor(x);
          for (const limit of [0.4, 5])
            await bench.expectResult(bench.engine.clamp(gradient, limit), reference.clamp(x, limit), `at ${limit}`);
          await bench.expect(gradient, x, "the gradient, unchanged");
        });
        add(`as a sum of squares ${of}, also of a variable`, async (bench) => {
          const [gradient, weight] = [bench.tensor(x), bench.variable(x)];
          await bench.expectResult(bench.engine.sumOfSquares(gradient), reference.sumOfSquares(x), "of a tensor");
          await bench.expectResult(bench.engine.sumOfSquares(weight), reference.sumOfSquares(x), "of a variable");
          await bench.expect(gradient, x, "the gradient, unchanged");
          await bench.expect(weight, x, "the variable, unchanged");
        });
      }
      add("with a NaN or an infinity have a sum of squares that is not finite", async (bench) => {
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const gradient = bench.keep(bench.engine.upload(Float32Array.of(1, bad, 2), [3]));
          const [sum] = await bench.engine.download(bench.keep(bench.engine.sumOfSquares(gradient)));
          checkEqual(Number.isFinite(sum), false, `the sum with ${bad} is finite`);
        }
      });
    }),
  ];
}
