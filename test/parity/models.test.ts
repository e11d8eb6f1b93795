import { describe, expect, test } from "vitest";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import { countParameters, stateEntries } from "../../src/ml/nn/state-entry.ts";
import { draw } from "./draw.ts";
import {
  describeReference,
  evalLogits,
  fillDoubles,
  type ModelReference,
  relativeError,
  sgdLosses,
  trainingFigures,
} from "./model-case.ts";
import drawn from "./reference/draw.json" with { type: "json" };
import resnet18 from "./reference/resnet18.json" with { type: "json" };
import resnet18ZeroInit from "./reference/resnet18_zero_init.json" with { type: "json" };
import resnet34 from "./reference/resnet34.json" with { type: "json" };
import resnet50 from "./reference/resnet50.json" with { type: "json" };
import resnet50Dilated from "./reference/resnet50_dilated.json" with { type: "json" };
import resnet101 from "./reference/resnet101.json" with { type: "json" };
import resnext50 from "./reference/resnext50_32x4d.json" with { type: "json" };
import resnext101 from "./reference/resnext101_32x8d.json" with { type: "json" };
import vgg16 from "./reference/vgg16.json" with { type: "json" };
import vgg16Bn from "./reference/vgg16_bn.json" with { type: "json" };
import wideResnet50 from "./reference/wide_resnet50_2.json" with { type: "json" };

// Both sides are double: only the order of sums differs. Measured: 4e-13 at worst. The stored values have 16 digits.
const TOLERANCE = 1e-9;

const all: readonly [string, ModelReference][] = [
  ["resnet18", resnet18],
  ["resnet34", resnet34],
  ["resnet50", resnet50],
  ["resnet50, dilated", resnet50Dilated],
  ["resnext50_32x4d", resnext50],
  ["vgg16", vgg16],
  ["vgg16_bn", vgg16Bn],
  ["resnet18, blocks that start as the identity", resnet18ZeroInit],
  ["resnet101", resnet101],
  ["resnext101_32x8d", resnext101],
  ["wide_resnet50_2", wideResnet50],
];

test("draws the numbers that the reference values were computed from", () => {
  expect([...draw("image", 6)]).toEqual(drawn.image);
  expect([...draw("conv1.weight", 6)]).toEqual(drawn.conv1);
});

describe("parameters have torchvision's names, shapes, order and count", () => {
  test.each(all)("%s", (_, reference) => {
    const { layers } = describeReference(reference);
    const trainable = stateEntries(layers).filter((entry) => entry.role !== "buffer");
    expect(trainable.map(({ name, shape }) => ({ name, shape }))).toEqual(reference.parameters);
    expect(countParameters(layers)).toBe(reference.parameter_count);
  });
});

// The whole of a training: basic blocks, at 110 pixels too; bottlenecks, dilated where stages keep their resolution, and
// grouped; blocks that start as the identity, inside which no gradient flows at first.
describe("training in double precision gives PyTorch's numbers", () => {
  test.each([
    ["resnet18", resnet18, 3],
    ["resnet34", resnet34, 0],
    ["resnet50", resnet50, 0],
    ["resnet50, dilated", resnet50Dilated, 0],
    ["resnext50_32x4d", resnext50, 2],
    ["resnet18, blocks that start as the identity", resnet18ZeroInit, 3],
  ] as const)("%s", async (_, reference: ModelReference, steps) => {
    const engine = createReferenceEngine();
    const filled = fillDoubles(engine, describeReference(reference));
    expect(relativeError(await evalLogits(filled, reference), reference.eval_logits.flat())).toBeLessThan(TOLERANCE);

    const figures = await trainingFigures(filled, reference);
    expect(relativeError(figures.logits, reference.train_logits!.flat())).toBeLessThan(TOLERANCE);
    expect(relativeError([figures.loss], [reference.train_loss!])).toBeLessThan(TOLERANCE);
    expect(relativeError(figures.runningMean!, reference.running_mean_bn1_after!)).toBeLessThan(TOLERANCE);
    expect(relativeError(figures.runningVariance!, reference.running_var_bn1_after!)).toBeLessThan(TOLERANCE);
    expect([...figures.gradientNorms.keys()].sort()).toEqual(Object.keys(reference.gradient_l2!).sort());
    for (const [name, norm] of figures.gradientNorms)
      expect(relativeError([norm], [reference.gradient_l2![name]!]), name).toBeLessThan(TOLERANCE);

    // Each step multiplies the rounding of the one before, since these losses fall steeply.
    const losses = await sgdLosses(filled, reference, steps);
    for (const [step, loss] of losses.entries())
      expect(relativeError([loss], [reference.sgd!.losses[step]!]), `step ${step}`).toBeLessThan(TOLERANCE);

    filled.network.close();
    expect(engine.liveTensors()).toBe(0);
  });
});

describe("evaluation in double precision gives PyTorch's logits", () => {
  test.each([
    ["vgg16", vgg16],
    ["vgg16_bn", vgg16Bn],
    ["resnet101", resnet101],
  ] as const)("%s", async (_, reference: ModelReference) => {
    const engine = createReferenceEngine();
    const filled = fillDoubles(engine, describeReference(reference));
    expect(relativeError(await evalLogits(filled, reference), reference.eval_logits.flat())).toBeLessThan(TOLERANCE);
    filled.network.close();
    expect(engine.liveTensors()).toBe(0);
  });
});
