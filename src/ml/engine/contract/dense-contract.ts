/** What every engine's dense layer, loss and image normalisation must do. */

import type { Tensor } from "../engine.ts";
import { checkEqual } from "./check.ts";
import type { Values } from "./reference.ts";
import * as reference from "./reference.ts";
import { type ContractCase, casesOf, drawn, drawnBetween } from "./workbench.ts";

export function denseCases(): readonly ContractCase[] {
  return [
    ...casesOf("dense layer", (add) => {
      for (const [n, inputs, outputs] of [
        [1, 1, 1],
        [3, 5, 4],
        [1, 512, 10],
        [7, 33, 1],
        [16, 200, 100],
      ] as const)
        add(`of ${n} by ${inputs} to ${outputs} is right, with all gradients`, async (bench) => {
          const [x, dy] = [drawn("x", n, inputs), drawn("dy", n, outputs)];
          const [weight, bias] = [drawn("weight", inputs, outputs), drawn("bias", outputs)];
          const [xs, weights] = [bench.tensor(x), bench.variable(weight)];
          await bench.expectResult(
            bench.engine.dense(xs, weights, bench.variable(bias)),
            reference.dense(x, weight, bias),
            "y",
          );
          const expected = reference.denseGradient(dy, x, weight);
          const gradient = bench.engine.denseGradient(bench.tensor(dy), xs, weights);
          await bench.expectResult(gradient.dx, expected.dx, "dx");
          await bench.expectResult(gradient.dweight, expected.dweight, "dweight");
          await bench.expectResult(gradient.dbias, expected.dbias, "dbias");
        });
    }),

    ...casesOf("softmax and cross-entropy", (add) => {
      for (const [what, spread, offset] of [
        ["ordinary logits", 1, 0],
        ["logits so large that a naive exponential overflows", 1000, 0],
        ["logits so far below zero that it underflows", 3, -1000],
        ["logits that are all equal", 0, 0],
      ] as const)
        add(`${what} give the right loss, gradient and probabilities`, async (bench) => {
          const drawnLogits = drawn("logits", 6, 5);
          const logits: Values = {
            shape: drawnLogits.shape,
            data: drawnLogits.data.map((u) => Math.fround(u * spread + offset)),
          };
          const labels = [0, 4, 2, 2, 1, 3];
          const indices = bench.keep(bench.engine.upload(Int32Array.from(labels), [6]));
          const expected = reference.softmaxCrossEntropy(logits, labels);
          const { loss, dlogits } = bench.engine.softmaxCrossEntropy(bench.tensor(logits), indices);
          await bench.expectResult(loss, expected.loss, "loss");
          await bench.expectResult(dlogits, expected.dlogits, "dlogits");
          await bench.expectResult(bench.engine.softmax(bench.tensor(logits)), reference.softmax(logits), "softmax");
        });

      add("one image is a batch too", async (bench) => {
        const logits = drawn("logits", 1, 10);
        const { loss, dlogits } = bench.engine.softmaxCrossEntropy(
          bench.tensor(logits),
          bench.keep(bench.engine.upload(Int32Array.of(9), [1])),
        );
        const expected = reference.softmaxCrossEntropy(logits, [9]);
        await bench.expectResult(loss, expected.loss, "loss");
        await bench.expectResult(dlogits, expected.dlogits, "dlogits");
      });

      for (const [what, spread, offset] of [
        ["ordinary logits", 1, 0],
        ["logits so large that a naive exponential overflows", 1000, 0],
        ["logits so far below zero that it underflows", 3, -1000],
      ] as const)
        add(`${what} against probabilities give the right loss and gradient`, async (bench) => {
          const u = drawn("logits", 6, 5);
          const logits: Values = { shape: u.shape, data: u.data.map((value) => Math.fround(value * spread + offset)) };
          const targets = probabilities("targets", 6, 5);
          const expected = reference.softmaxCrossEntropyOfProbabilities(logits, targets);
          const { loss, dlogits } = bench.engine.softmaxCrossEntropy(bench.tensor(logits), bench.tensor(targets));
          await bench.expectResult(loss, expected.loss, "loss");
          await bench.expectResult(dlogits, expected.dlogits, "dlogits");
        });

      add("a probability of one is a label", async (bench) => {
        const logits = drawn("logits", 3, 4);
        const targets: Values = { shape: [3, 4], data: Float64Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1) };
        const expected = reference.softmaxCrossEntropy(logits, [1, 0, 3]);
        const { loss, dlogits } = bench.engine.softmaxCrossEntropy(bench.tensor(logits), bench.tensor(targets));
        await bench.expectResult(loss, expected.loss, "loss");
        await bench.expectResult(dlogits, expected.dlogits, "dlogits");
      });

      add("targets that are not one per image are refused", async (bench) => {
        const logits = bench.tensor(drawn("logits", 3, 4));
        const refused = (targets: Tensor) => {
          try {
            bench.engine.softmaxCrossEntropy(logits, targets);
          } catch {
            return true;
          }
          return false;
        };
        checkEqual(refused(bench.tensor(probabilities("one row", 1, 4))), true, "probabilities of one image refused");
        checkEqual(refused(bench.keep(bench.engine.upload(Int32Array.of(1, 2), [2]))), true, "labels of two refused");
      });
    }),

    ...casesOf("images", (add) => {
      add("pixels become (x / 255 - mean) / std per channel", async (bench) => {
        const shape = [2, 5, 4, 3];
        const pixels = Uint8Array.from(drawnBetween(0, 256, "pixels", ...shape).data, Math.floor);
        pixels.set([0, 255, 128]);
        const [mean, std] = [
          [0.4914, 0.4822, 0.4465],
          [0.247, 0.2435, 0.2616],
        ];
        const images = bench.keep(bench.engine.upload(pixels, shape));
        checkEqual(images.dtype, "uint8", "dtype");
        const data = Float64Array.from(pixels, (value, i) => (value / 255 - mean![i % 3]!) / std![i % 3]!);
        await bench.expectResult(bench.engine.normalizeImages(images, mean!, std!), { shape, data }, "normalised");
      });
    }),
  ];
}

/** Rows in (0, 1) that sum to one, as float32 holds them. */
function probabilities(name: string, rows: number, classes: number): Values {
  const { shape, data } = drawnBetween(0.05, 1, name, rows, classes);
  const sumOf = (row: number) => data.subarray(row * classes, (row + 1) * classes).reduce((a, b) => a + b, 0);
  return { shape, data: data.map((value, i) => Math.fround(value / sumOf(Math.floor(i / classes)))) };
}
