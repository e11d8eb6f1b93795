/** Smoothed and mixed targets against PyTorch's CrossEntropyLoss, in double precision but for the targets themselves. */
import { expect, test } from "vitest";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import { softTargets } from "../../src/ml/train/soft-targets.ts";
import reference from "./reference/losses.json" with { type: "json" };

// The targets are float32: 6e-8 of what they weigh.
const TOLERANCE = 2e-7;
const { labels, partners, share, shape, logits } = reference;
const [, classes] = shape as [number, number];
const own = Int32Array.from(labels);
const mixed = { labels: Int32Array.from(partners, (partner) => labels[partner]!), share };

test.each([
  ["plain", own, [shape[0]!]],
  ["plain", softTargets(own, classes, 0), shape],
  ["smoothed", softTargets(own, classes, 0.1), shape],
  ["mixed", softTargets(own, classes, 0, mixed), shape],
  ["mixed_smoothed", softTargets(own, classes, 0.1, mixed), shape],
] as const)("the loss and gradient of %s targets are PyTorch's", (name, targets, targetsShape) => {
  const engine = createReferenceEngine();
  const expected = reference.cases[name];
  const { loss, dlogits } = engine.softmaxCrossEntropy(
    engine.upload(Float64Array.from(logits), shape),
    engine.upload(targets, targetsShape),
  );
  expect(Math.abs(engine.downloadFloat64(loss)[0]! - expected.loss)).toBeLessThan(TOLERANCE);
  engine.downloadFloat64(dlogits).forEach((value, i) => {
    expect(Math.abs(value - expected.gradient[i]!)).toBeLessThan(TOLERANCE);
  });
});
