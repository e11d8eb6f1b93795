import { describe, expect, test } from "vitest";
import type { StoredTensor } from "../../../src/ml/checkpoint/safetensors.ts";
import { createReferenceEngine, type ReferenceEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import type { Layer } from "../../../src/ml/nn/layer.ts";
import type { ModelDescription } from "../../../src/ml/nn/model-description.ts";
import { elementCount, stateEntries } from "../../../src/ml/nn/state-entry.ts";
import { createRng } from "../../../src/rng.ts";

const unit = { stride: 1, padding: 1, dilation: 1, groups: 1 };

function conv(name: string, inChannels: number, outChannels: number, geometry = unit, bias = false): Layer {
  return { type: "conv2d", name, inChannels, outChannels, kernelSize: 3, geometry, bias };
}

function batchNorm(name: string, channels: number): Layer {
  return { type: "batchNorm", name, channels, momentum: 0.1, epsilon: 1e-5, initialScale: 1 };
}

/** Every kind of layer once, both kinds of shortcut, and 2 x 2 positions in front of a linear layer. */
const everything: ModelDescription = {
  architecture: "everything",
  numClasses: 3,
  imageChannels: 2,
  layers: [
    conv("stem", 2, 4, unit, true),
    batchNorm("norm", 4),
    { type: "relu", name: "relu" },
    { type: "maxPool", name: "pool", geometry: { size: 3, stride: 2, padding: 1 } },
    {
      type: "residual",
      name: "a",
      body: [conv("a.conv", 4, 6, { ...unit, stride: 2, groups: 2 }), batchNorm("a.norm", 6)],
      shortcut: [conv("a.down", 4, 6, { ...unit, stride: 2 })],
    },
    {
      type: "residual",
      name: "b",
      body: [
        { type: "groupNorm", name: "b.norm", channels: 6, groups: 2, epsilon: 1e-5, initialScale: 1 },
        { type: "relu", name: "b.relu" },
        conv("b.conv", 6, 6, { ...unit, dilation: 2, padding: 2 }),
      ],
      shortcut: [],
    },
    { type: "adaptiveAveragePool", name: "average", size: 2 },
    { type: "flatten", name: "flatten" },
    { type: "linear", name: "hidden", inFeatures: 24, outFeatures: 5, positions: 4, initialisation: "linear" },
    { type: "relu", name: "hidden.relu" },
    { type: "dropout", name: "dropout", rate: 0.4 },
    { type: "linear", name: "head", inFeatures: 5, outFeatures: 3, positions: 1, initialisation: "linear" },
  ],
};

const IMAGES = [4, 9, 9, 2] as const;
const DRAW = { seed: 5, step: 2 };

function normals(name: string, count: number): Float32Array {
  const { normal } = createRng(1, name);
  return Float32Array.from({ length: count }, normal);
}

function someState(description: ModelDescription): Record<string, StoredTensor> {
  return Object.fromEntries(
    stateEntries(description.layers).map(({ name, shape }) => {
      const data = normals(name, elementCount(shape)).map((value) => 0.5 * value);
      return [name, { dtype: "F32", shape, data: name.endsWith("running_var") ? data.map(Math.exp) : data }];
    }),
  );
}

function build(description = everything) {
  const engine = createReferenceEngine();
  const network = createNetwork(engine, description);
  network.loadStateDict(someState(description));
  const images = engine.upload(normals("images", elementCount(IMAGES)), IMAGES);
  return { engine, network, images };
}

function softmaxLoss(engine: ReferenceEngine, logits: Parameters<ReferenceEngine["softmax"]>[0]) {
  const labels = engine.upload(Int32Array.of(0, 1, 2, 1), [4]);
  const { loss, dlogits } = engine.softmaxCrossEntropy(logits, labels);
  const value = engine.downloadFloat64(loss)[0]!;
  engine.dispose(labels, loss);
  return { value, dlogits };
}

describe("the reverse pass", () => {
  test("gives every parameter the gradient that finite differences show", () => {
    const { engine, network, images } = build();
    const logits = network.forward(images, DRAW);
    const { dlogits } = softmaxLoss(engine, logits);
    const gradients = new Map<string, Float64Array>();
    network.backward(dlogits, ({ name }, gradient) => gradients.set(name, engine.downloadFloat64(gradient)));
    engine.dispose(logits, dlogits);
    expect([...gradients.keys()].sort()).toEqual(network.parameters.map(({ name }) => name).sort());

    const lossWith = (variable: Parameters<ReferenceEngine["assign"]>[0], values: Float64Array) => {
      engine.assign(variable, values);
      const perturbed = network.forward(images, DRAW);
      network.discard();
      const { value, dlogits: unused } = softmaxLoss(engine, perturbed);
      engine.dispose(perturbed, unused);
      return value;
    };
    const step = 1e-5;
    for (const { name, variable } of network.parameters) {
      const values = engine.downloadFloat64(variable);
      for (const index of new Set([0, Math.floor(values.length / 2), values.length - 1])) {
        const up = lossWith(variable, values.with(index, values[index]! + step));
        const down = lossWith(variable, values.with(index, values[index]! - step));
        // Central differences err by step^2 times the third derivative, and by 1e-16 / step of rounding.
        expect(gradients.get(name)![index]!, `${name}[${index}]`).toBeCloseTo((up - down) / (2 * step), 7);
      }
      engine.assign(variable, values);
    }
  });

  test("frees everything that forward kept", () => {
    const { engine, network, images } = build();
    const logits = network.forward(images, DRAW);
    const { dlogits } = softmaxLoss(engine, logits);
    expect(engine.liveTensors()).toBeGreaterThan(10);
    network.backward(dlogits, () => {});
    engine.dispose(logits, dlogits, images);
    expect(engine.liveTensors()).toBe(0);
  });

  test("holds fewer and fewer tensors as it goes", () => {
    const { engine, network, images } = build();
    const logits = network.forward(images, DRAW);
    const { dlogits } = softmaxLoss(engine, logits);
    const live: number[] = [];
    network.backward(dlogits, ({ name }) => {
      if (name.endsWith(".weight")) live.push(engine.liveTensors());
    });
    // The head's step, the second residual's first, the first residual's, the stem's.
    expect(live.at(-1)).toBeLessThan(live[0]! / 2);
  });

  test("frees everything where a gradient is refused, whichever it is, and can begin again", () => {
    const { engine, network, images } = build();
    const count = network.parameters.length;
    for (let refused = 0; refused < count; refused++) {
      const before = engine.liveTensors();
      const logits = network.forward(images, DRAW);
      let given = 0;
      expect(() =>
        network.backward(logits, () => {
          if (given++ === refused) throw new Error("refused by the test");
        }),
      ).toThrow("refused by the test");
      engine.dispose(logits);
      expect(engine.liveTensors(), `after gradient ${refused}`).toBe(before);
      expect(given).toBe(refused + 1);
    }
    const logits = network.forward(images, DRAW);
    const given: string[] = [];
    network.backward(logits, ({ name }) => given.push(name));
    expect(given).toHaveLength(count);
  });

  test("needs a forward pass, and only one at a time", () => {
    const { network, images, engine } = build();
    expect(() => network.backward(images, () => {})).toThrow("no forward pass");
    network.forward(images, DRAW);
    expect(() => network.forward(images, DRAW)).toThrow("still held");
    network.discard();
    expect(() => network.forward(images, DRAW)).not.toThrow();
    engine.close();
  });
});

test("discarding a forward pass frees what it kept", () => {
  const { engine, network, images } = build();
  const logits = network.forward(images, DRAW);
  network.discard();
  engine.dispose(logits, images);
  expect(engine.liveTensors()).toBe(0);
});

describe("evaluation", () => {
  test("keeps nothing, leaves the images alone and moves no running statistics", async () => {
    const { engine, network, images } = build();
    const before = await network.stateDict();
    const logits = network.evaluate(images);
    expect(logits.shape).toEqual([4, 3]);
    expect(engine.liveTensors()).toBe(2);
    expect(await network.stateDict()).toEqual(before);
    engine.dispose(logits, images);
    expect(engine.liveTensors()).toBe(0);
  });

  test("is not changed by dropout, which training is", () => {
    const { engine, network, images } = build();
    const logitsOf = (tensor: Parameters<ReferenceEngine["softmax"]>[0]) => [...engine.downloadFloat64(tensor)];
    expect(logitsOf(network.evaluate(images))).toEqual(logitsOf(network.evaluate(images)));
    const train = (step: number) => {
      const logits = logitsOf(network.forward(images, { seed: 5, step }));
      network.discard();
      return logits;
    };
    expect(train(1)).toEqual(train(1));
    expect(train(1)).not.toEqual(train(2));
  });

  test("of a linear layer behind a flattened image takes its inputs in PyTorch's order", () => {
    const positions = 6;
    const description: ModelDescription = {
      architecture: "flat",
      numClasses: 2,
      imageChannels: 3,
      layers: [
        { type: "flatten", name: "flatten" },
        { type: "linear", name: "fc", inFeatures: 18, outFeatures: 2, positions, initialisation: "linear" },
      ],
    };
    const engine = createReferenceEngine();
    const network = createNetwork(engine, description);
    const weight = normals("weight", 36);
    network.loadStateDict({
      "fc.weight": { dtype: "F32", shape: [2, 18], data: weight },
      "fc.bias": { dtype: "F32", shape: [2], data: Float32Array.of(0, 0) },
    });
    // Element (y, x, c) of a 2 x 3 x 3 image is y 100 + x 10 + c; PyTorch flattens c first, then y, then x.
    const image = Float32Array.from(
      { length: 18 },
      (_, i) => Math.floor(i / 9) * 100 + (Math.floor(i / 3) % 3) * 10 + (i % 3),
    );
    const flattened = [0, 1, 2].flatMap((c) => [0, 1].flatMap((y) => [0, 1, 2].map((x) => y * 100 + x * 10 + c)));
    const logits = engine.downloadFloat64(network.evaluate(engine.upload(image, [1, 2, 3, 3])));
    for (const row of [0, 1])
      expect(logits[row]).toBeCloseTo(
        flattened.reduce((sum, value, i) => sum + value * weight[row * 18 + i]!, 0),
        9,
      );
  });
});

describe("the state dict", () => {
  test("comes back out as it went in, in torchvision's order", async () => {
    const { network } = build();
    const state = await network.stateDict();
    expect(state).toEqual(someState(everything));
    expect(Object.keys(state).slice(0, 6)).toEqual([
      "stem.weight",
      "stem.bias",
      "norm.weight",
      "norm.bias",
      "norm.running_mean",
      "norm.running_var",
    ]);
  });

  test("may count batches, as PyTorch's does", () => {
    const { network } = build();
    const counted = {
      ...someState(everything),
      "norm.num_batches_tracked": { dtype: "I64", shape: [], data: BigInt64Array.of(3n) } as const,
    };
    expect(() => network.loadStateDict(counted)).not.toThrow();
  });

  test("that does not fit is refused with everything that is wrong, and changes nothing", async () => {
    const { network } = build();
    const before = await network.stateDict();
    const { "stem.bias": _, ...wrong } = someState(everything);
    wrong["extra.weight"] = { dtype: "F32", shape: [1], data: Float32Array.of(1) };
    wrong["head.bias"] = { dtype: "F32", shape: [4], data: new Float32Array(4) };
    wrong["norm.bias"] = { dtype: "I32", shape: [4], data: new Int32Array(4) };
    expect(() => network.loadStateDict(wrong)).toThrow(
      "the weights do not fit the model: missing stem.bias; unexpected extra.weight; " +
        "wrong shape of head.bias (expected [3], got [4]); wrong type of norm.bias (I32)",
    );
    expect(await network.stateDict()).toEqual(before);
  });

  test("must be loaded before the network is used", () => {
    const engine = createReferenceEngine();
    const network = createNetwork(engine, everything);
    const images = engine.upload(new Float32Array(elementCount(IMAGES)), IMAGES);
    expect(() => network.evaluate(images)).toThrow("never loaded");
    expect(() => network.forward(images, DRAW)).toThrow("never loaded");
  });
});

test("roles tell norms and biases from weights", () => {
  const { network } = build();
  const roles = Object.fromEntries(network.parameters.map(({ name, role }) => [name, role]));
  expect(roles).toMatchObject({
    "stem.weight": "weight",
    "stem.bias": "bias",
    "norm.weight": "norm",
    "norm.bias": "norm",
    "b.norm.weight": "norm",
    "head.weight": "weight",
    "head.bias": "bias",
  });
  expect(roles).not.toHaveProperty("norm.running_mean");
});
