/** What every engine's normalisations must do, and what they must leave alone. */
import type { Values } from "./reference.ts";
import * as reference from "./reference.ts";
import { type ContractCase, casesOf, drawn, drawnBetween, type Workbench } from "./workbench.ts";

function batchNormVariables(bench: Workbench, channels: number) {
  const values = {
    scale: drawnBetween(0.5, 1.5, "scale", channels),
    shift: drawn("shift", channels),
    runningMean: drawn("mean", channels),
    runningVariance: drawnBetween(0.5, 1.5, "variance", channels),
  };
  const variables = {
    scale: bench.variable(values.scale),
    shift: bench.variable(values.shift),
    runningMean: bench.variable(values.runningMean),
    runningVariance: bench.variable(values.runningVariance),
  };
  return { values, variables };
}

const SHAPES = [
  [4, 5, 6, 7],
  [1, 1, 2, 3],
  [2, 1, 1, 16],
  [1, 3, 3, 1],
  [8, 7, 7, 33],
] as const;

export function normalisationCases(): readonly ContractCase[] {
  return [
    ...casesOf("batch normalisation", (add) => {
      for (const shape of SHAPES)
        add(
          `training normalises [${shape}] by the batch, with all gradients, and moves the running statistics`,
          async (bench) => {
            for (const [momentum, epsilon] of [
              [0.1, 1e-5],
              [0, 1e-3],
              [1, 1e-5],
            ] as const) {
              const [x, dy] = [drawn("x", ...shape), drawn("dy", ...shape)];
              const { values, variables } = batchNormVariables(bench, shape[3]);
              const xs = bench.tensor(x);
              const { y, saved } = bench.engine.batchNormTrain(xs, variables, momentum, epsilon);
              bench.keepSaved(saved);
              await bench.expectResult(y, reference.batchNormTrain(x, values.scale, values.shift, epsilon), "y");
              const moved = reference.movedRunningStatistics(x, values.runningMean, values.runningVariance, momentum);
              await bench.expect(variables.runningMean, moved.mean, `running mean, momentum ${momentum}`);
              await bench.expect(variables.runningVariance, moved.variance, `running variance, momentum ${momentum}`);

              const expected = reference.batchNormGradient(dy, x, values.scale, epsilon);
              const gradient = bench.engine.batchNormGradient(bench.tensor(dy), xs, variables, saved);
              // Two values per channel normalise to -1 and 1 whatever they are, so dx cancels: rounding divided by std stays.
              await bench.expectResult(gradient.dx, expected.dx, "dx", shape[0] * shape[1] * shape[2] === 2 ? 50 : 1);
              await bench.expectResult(gradient.dscale, expected.dscale, "dscale");
              await bench.expectResult(gradient.dshift, expected.dshift, "dshift");
              await bench.expect(variables.runningMean, moved.mean, "running mean after the gradient");
              await bench.expect(variables.scale, values.scale, "scale after all");
              await bench.expect(variables.shift, values.shift, "shift after all");
            }
          },
        );

      add("training copes with a mean that is 100 times the spread", async (bench) => {
        const x = drawnBetween(99, 101, "x", 4, 6, 6, 3);
        const { values, variables } = batchNormVariables(bench, 3);
        const { y, saved } = bench.engine.batchNormTrain(bench.tensor(x), variables, 0.1, 1e-5);
        bench.keepSaved(saved);
        // The mean's rounding (6e-8 of 100) is divided by a spread near 0.6: 1e-5 at best, more by the order of the sum.
        await bench.expectResult(y, reference.batchNormTrain(x, values.scale, values.shift, 1e-5), "y", 25);
        const moved = reference.movedRunningStatistics(x, values.runningMean, values.runningVariance, 0.1);
        await bench.expect(variables.runningVariance, moved.variance, "running variance", 25);
      });

      add(
        "a single value per channel, which has no unbiased variance, becomes the shift and counts as variance 0",
        async (bench) => {
          const x = drawn("x", 1, 1, 1, 4);
          const { values, variables } = batchNormVariables(bench, 4);
          const { y, saved } = bench.engine.batchNormTrain(bench.tensor(x), variables, 0.1, 1e-5);
          bench.keepSaved(saved);
          await bench.expectResult(y, { shape: x.shape, data: values.shift.data }, "y");
          const variance = values.runningVariance.data.map((old) => 0.9 * old);
          await bench.expect(variables.runningVariance, { shape: [4], data: variance }, "running variance");
        },
      );

      add("running statistics gather over several batches", async (bench) => {
        const { values, variables } = batchNormVariables(bench, 5);
        let moved = { mean: values.runningMean, variance: values.runningVariance };
        for (const batch of ["one", "two", "three"]) {
          const x = drawn(batch, 2, 4, 4, 5);
          const { y, saved } = bench.engine.batchNormTrain(bench.tensor(x), variables, 0.1, 1e-5);
          bench.keep(y);
          bench.keepSaved(saved);
          moved = reference.movedRunningStatistics(x, moved.mean, moved.variance, 0.1);
        }
        await bench.expect(variables.runningMean, moved.mean, "running mean");
        await bench.expect(variables.runningVariance, moved.variance, "running variance");
      });

      for (const shape of SHAPES)
        add(`evaluation normalises [${shape}] by the running statistics and leaves them`, async (bench) => {
          const x = drawn("x", ...shape);
          const { values, variables } = batchNormVariables(bench, shape[3]);
          const { scale, shift, runningMean, runningVariance } = values;
          const y = bench.engine.batchNormEval(bench.tensor(x), variables, 1e-5);
          await bench.expectResult(
            y,
            reference.batchNormEval(x, scale, shift, runningMean, runningVariance, 1e-5),
            "y",
          );
          await bench.expect(variables.runningMean, runningMean, "running mean");
          await bench.expect(variables.runningVariance, runningVariance, "running variance");
        });
    }),

    ...casesOf("group normalisation", (add) => {
      for (const [groups, shape] of [
        [1, [2, 5, 4, 6]],
        [2, [1, 3, 3, 6]],
        [6, [3, 4, 4, 6]],
        [32, [2, 3, 3, 64]],
        [2, [2, 1, 1, 8]],
      ] as const)
        add(`in ${groups} groups of [${shape}] is right, with all gradients`, async (bench) => {
          const [x, dy] = [drawn("x", ...shape), drawn("dy", ...shape)];
          const [scale, shift]: readonly Values[] = [
            drawnBetween(0.5, 1.5, "scale", shape[3]),
            drawn("shift", shape[3]),
          ];
          const [xs, scales, shifts] = [bench.tensor(x), bench.variable(scale!), bench.variable(shift!)];
          const { y, saved } = bench.engine.groupNorm(xs, scales, shifts, groups, 1e-5);
          bench.keepSaved(saved);
          await bench.expectResult(y, reference.groupNorm(x, scale!, shift!, groups, 1e-5), "y");
          const expected = reference.groupNormGradient(dy, x, scale!, groups, 1e-5);
          const gradient = bench.engine.groupNormGradient(bench.tensor(dy), xs, scales, saved);
          await bench.expectResult(gradient.dx, expected.dx, "dx");
          await bench.expectResult(gradient.dscale, expected.dscale, "dscale");
          await bench.expectResult(gradient.dshift, expected.dshift, "dshift");
        });
    }),
  ];
}
