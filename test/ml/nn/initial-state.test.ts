import { describe, expect, test } from "vitest";
import type { ArchitectureSpec } from "../../../src/ml/models/architecture.ts";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { initialState } from "../../../src/ml/nn/initial-state.ts";
import { plainLayers } from "../../../src/ml/nn/layer.ts";
import { elementCount, stateEntries } from "../../../src/ml/nn/state-entry.ts";

const tiny: ArchitectureSpec = { block: "bottleneck", layers: [1, 1, 1, 1], numClasses: 10 };
const small = statesOf(tiny);

/** Draws only the layers that are asked for, since each entry has its own stream. */
function statesOf(spec: ArchitectureSpec, seed = 1): (name: string) => Float32Array {
  const { layers, ...rest } = describeModel(spec);
  return (name) => {
    const layer = plainLayers(layers).find((plain) => name.startsWith(`${plain.name}.`))!;
    return initialState({ ...rest, layers: [layer] }, seed)[name]!.data as Float32Array;
  };
}

/** Of n normal draws the sample deviation is within 5 sigma / sqrt(2 n) of sigma, and the mean within 5 sigma / sqrt(n), all but one time in a million. */
function expectNormal(values: Float32Array, std: number): void {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  expect(Math.abs(mean)).toBeLessThan((5 * std) / Math.sqrt(n));
  expect(Math.abs(deviation / std - 1)).toBeLessThan(5 / Math.sqrt(2 * n));
}

describe("convolutions", () => {
  test.each([
    ["conv1.weight", 64 * 49],
    ["layer1.0.conv1.weight", 64],
    ["layer1.0.conv2.weight", 64 * 9],
    ["layer4.0.conv3.weight", 2048],
    ["layer4.0.downsample.0.weight", 2048],
  ])("%s is normal with variance 2 / fan-out", (name, fanOut) => {
    expectNormal(small(name), Math.sqrt(2 / fanOut));
  });

  test("of groups count all outputs in their fan-out, as torchvision does", () => {
    const weight = statesOf({ ...tiny, groups: 32, widthPerGroup: 4 })("layer1.0.conv2.weight");
    expect(weight).toHaveLength(128 * 4 * 9);
    expectNormal(weight, Math.sqrt(2 / (128 * 9)));
  });

  test("have tails that are not cut off", () => {
    const weight = small("layer4.0.conv2.weight");
    const std = Math.sqrt(2 / (512 * 9));
    // 2.4 million normal draws: 6.3e-5 of them beyond 4 sigma, which is 149 with a deviation of 12.
    const far = weight.filter((value) => Math.abs(value) > 4 * std).length;
    expect(weight).toHaveLength(512 * 512 * 9);
    expect(Math.abs(far - 149)).toBeLessThan(5 * 12.3);
    // And of both halves of each pair that Box-Muller draws.
    const halves = [0, 1].map((half) => weight.filter((_, i) => i % 2 === half));
    for (const half of halves) expectNormal(half, std);
  });
});

/** Of the standard normal: Abramowitz & Stegun 26.2.17, within 7.5e-8. */
function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const poly = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const tail = density * poly.reduceRight((sum, coefficient) => (sum + coefficient) * t, 0);
  return x >= 0 ? 1 - tail : tail;
}

/** The largest distance of the sample's distribution from `cdf` (Kolmogorov-Smirnov), times sqrt(n). */
function distance(values: Float32Array, cdf: (value: number) => number): number {
  const sorted = values.slice().sort();
  const n = sorted.length;
  const furthest = sorted.reduce((most, value, i) => {
    const expected = cdf(value);
    return Math.max(most, Math.abs((i + 1) / n - expected), Math.abs(expected - i / n));
  }, 0);
  return furthest * Math.sqrt(n);
}

// Kolmogorov's distribution: sqrt(n) times the distance exceeds 2.5 in 7 draws of a million.
const FURTHEST = 2.5;

describe("the whole distribution is what PyTorch draws from, by its distance and its fourth moment", () => {
  test.each([
    ["a convolution", { ...tiny }, "layer3.0.conv2.weight", Math.sqrt(2 / (256 * 9))],
    ["VGG's convolution", { architecture: "vgg11", numClasses: 10 }, "features.11.weight", Math.sqrt(2 / (512 * 9))],
    ["VGG's last layer", { architecture: "vgg11", numClasses: 1000 }, "classifier.6.weight", 0.01],
  ] as const)("normal: %s", (_, spec, name, std) => {
    const weight = statesOf(spec)(name).slice(0, 600_000);
    expect(distance(weight, (value) => normalCdf(value / std))).toBeLessThan(FURTHEST);
    const fourth = weight.reduce((sum, value) => sum + (value / std) ** 4, 0) / weight.length;
    // E z^4 = 3, var z^4 = 96. A normal cut at two deviations and rescaled has 2.4.
    expect(Math.abs(fourth - 3)).toBeLessThan(5 * Math.sqrt(96 / weight.length));
    // P(|z| > 2) = 0.0455.
    const beyond = weight.filter((value) => Math.abs(value) > 2 * std).length / weight.length;
    expect(Math.abs(beyond - 0.0455)).toBeLessThan(5 * Math.sqrt((0.0455 * 0.9545) / weight.length));
  });

  test("uniform: a ResNet's linear layer", () => {
    const bound = 1 / Math.sqrt(2048);
    const weight = statesOf({ ...tiny, numClasses: 1000 })("fc.weight").slice(0, 600_000);
    expect(distance(weight, (value) => (value / bound + 1) / 2)).toBeLessThan(FURTHEST);
  });

  test("and the distance tells a cut normal from a whole one", () => {
    const weight = statesOf(tiny)("layer3.0.conv2.weight");
    const std = Math.sqrt(2 / (256 * 9));
    const cut = weight.filter((value) => Math.abs(value) < 2 * std);
    expect(distance(cut, (value) => normalCdf(value / std))).toBeGreaterThan(4 * FURTHEST);
  });
});

test("norms start at one and zero, running statistics likewise", () => {
  const state = small;
  expect(new Set(state("bn1.weight"))).toEqual(new Set([1]));
  expect(new Set(state("bn1.bias"))).toEqual(new Set([0]));
  expect(new Set(state("bn1.running_mean"))).toEqual(new Set([0]));
  expect(new Set(state("bn1.running_var"))).toEqual(new Set([1]));
});

test("zeroInitResidual starts the last norm of each block, and no other, at zero", () => {
  const zeroScales = (spec: ArchitectureSpec) => {
    const { layers, ...rest } = describeModel({ ...spec, zeroInitResidual: true });
    const norms = plainLayers(layers).filter(({ type }) => type === "batchNorm" || type === "groupNorm");
    const state = initialState({ ...rest, layers: norms }, 1);
    return Object.keys(state).filter(
      (name) => /(bn|downsample.1)\d*\.weight$/.test(name) && state[name]!.data[0] === 0,
    );
  };
  expect(zeroScales(tiny)).toEqual([1, 2, 3, 4].map((stage) => `layer${stage}.0.bn3.weight`));
  expect(zeroScales({ ...tiny, block: "basic", norm: "groupNorm" })).toEqual(
    [1, 2, 3, 4].map((stage) => `layer${stage}.0.bn2.weight`),
  );
});

test("a ResNet's linear layer is uniform within 1 / sqrt(in), weight and bias", () => {
  const state = statesOf({ ...tiny, numClasses: 1000 });
  const bound = 1 / Math.sqrt(2048);
  for (const name of ["fc.weight", "fc.bias"]) {
    const values = state(name);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(bound * (1 - 10 / values.length));
    expectNormal(values, bound / Math.sqrt(3));
  }
});

test("VGG's linear layers are normal with deviation 0.01, and its biases zero", () => {
  const { layers, ...rest } = describeModel({ architecture: "vgg11", numClasses: 1000 });
  const last = initialState({ ...rest, layers: layers.slice(-1) }, 1);
  expectNormal(last["classifier.6.weight"]!.data as Float32Array, 0.01);
  expect(new Set(last["classifier.6.bias"]!.data as Float32Array)).toEqual(new Set([0]));
  const first = initialState({ ...rest, layers: layers.slice(0, 1) }, 1);
  expectNormal(first["features.0.weight"]!.data as Float32Array, Math.sqrt(2 / (64 * 9)));
  expect(new Set(first["features.0.bias"]!.data as Float32Array)).toEqual(new Set([0]));
});

describe("draws", () => {
  test("are the same for the same seed and differ for another", () => {
    expect(statesOf(tiny, 7)("conv1.weight")).toEqual(statesOf(tiny, 7)("conv1.weight"));
    expect(statesOf(tiny, 7)("conv1.weight")).not.toEqual(statesOf(tiny, 8)("conv1.weight"));
  });

  test("of a parameter do not depend on what other layers there are", () => {
    const large = initialState(describeModel({ ...tiny, layers: [2, 1, 1, 1], numClasses: 20 }), 1);
    for (const name of ["conv1.weight", "layer1.0.conv2.weight", "layer2.0.conv1.weight"])
      expect(large[name]!.data).toEqual(small(name));
  });

  test("of parameters of equal shape have nothing in common", () => {
    const state = statesOf({ ...tiny, layers: [2, 1, 1, 1] });
    const [a, b] = [state("layer1.0.conv2.weight"), state("layer1.1.conv2.weight")];
    const product = a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    expect(Math.abs(product / (norm(a) * norm(b)))).toBeLessThan(5 / Math.sqrt(a.length));
  });

  test("are these bits on every machine", () => {
    const weight = statesOf(tiny, 123)("conv1.weight");
    expect([...weight.slice(0, 4)]).toMatchInlineSnapshot(`
      [
        -0.006386905442923307,
        -0.03439296782016754,
        -0.0024030788335949183,
        0.04335044324398041,
      ]
    `);
  });
});

test("the state has exactly the model's entries, in order, in float32", () => {
  const description = describeModel(tiny);
  const state = initialState(description, 1);
  expect(Object.entries(state).map(([name, { shape }]) => ({ name, shape }))).toEqual(
    stateEntries(description.layers).map(({ name, shape }) => ({ name, shape })),
  );
  for (const { dtype, shape, data } of Object.values(state)) {
    expect(dtype).toBe("F32");
    expect(data).toHaveLength(elementCount(shape));
  }
});
