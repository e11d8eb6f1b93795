/**
 * Exports are loaded by stock TensorFlow.js and give the logits that our engine gives. Float32 against double: sums of some
 * thousand products in another order, and batch norms that were folded, come to about 1e-6 of the logits' scale.
 */
import { beforeAll, describe, expect, test } from "vitest";
import "@tensorflow/tfjs-backend-cpu";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { GraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { draw } from "../../../src/ml/engine/contract/draw.ts";
import { createReferenceEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import { ExportError, type ExportedFile } from "../../../src/ml/export/exported-file.ts";
import { graphModelFiles } from "../../../src/ml/export/graph-model.ts";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import type { Layer } from "../../../src/ml/nn/layer.ts";
import type { ModelDescription } from "../../../src/ml/nn/model-description.ts";
import { stateEntries } from "../../../src/ml/nn/state-entry.ts";
import { fill } from "../../parity/fill.ts";
import { loadExported, runExported } from "./load-exported.ts";

// Measured: 4e-7 at worst.
const TOLERANCE = 1e-5;
const IMAGES = 2;

beforeAll(() => {
  setWasmPaths(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")) + sep);
});

function stateOf({ layers }: ModelDescription) {
  return Object.fromEntries(
    stateEntries(layers).map(({ name, shape }) => [
      name,
      { dtype: "F32" as const, shape, data: Float32Array.from(fill(name, shape)) },
    ]),
  );
}

function imagesOf(size: number, channels = 3): Float32Array {
  return Float32Array.from(draw("image", IMAGES * size * size * channels));
}

/** As our engine evaluates it, in double. */
async function ownLogits(description: ModelDescription, size: number): Promise<readonly number[]> {
  const engine = createReferenceEngine();
  const network = createNetwork(engine, description);
  network.loadStateDict(stateOf(description));
  const { imageChannels } = description;
  const images = engine.upload(imagesOf(size, imageChannels), [IMAGES, size, size, imageChannels]);
  return [...engine.downloadFloat64(network.evaluate(images))];
}

function exported(description: ModelDescription, size: number | undefined): Map<string, ExportedFile["content"]> {
  const files = graphModelFiles({
    description,
    state: stateOf(description),
    generatedBy: "test",
    ...(size !== undefined && { imageSize: [size, size] as const }),
  });
  return new Map([...files].map(({ name, content }) => [name, content]));
}

const load = (files: ReadonlyMap<string, ExportedFile["content"]>) => loadExported((file) => files.get(file)!);

function run(model: GraphModel, images: Float32Array, size: number): readonly number[] {
  return runExported(model, images, [IMAGES, size, size, images.length / (IMAGES * size * size)]);
}

function relativeError(values: readonly number[], expected: readonly number[]): number {
  expect(values).toHaveLength(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, at) => Math.abs(value - values[at]!))) / scale;
}

/** The convolutions of a VGG with a classifier small enough for a test. */
function smallVgg(architecture: "vgg11" | "vgg11_bn"): ModelDescription {
  const description = describeModel({ architecture, numClasses: 10 });
  const layers = description.layers.map((layer): Layer => {
    if (layer.type !== "linear") return layer;
    const isFirst = layer.positions > 1;
    return { ...layer, ...(!isFirst && { inFeatures: 24 }), ...(layer.outFeatures > 10 && { outFeatures: 24 }) };
  });
  return { ...description, layers };
}

const tiny = { layers: [1, 1, 1, 1], numClasses: 10 } as const;
const cases: readonly [string, ModelDescription, number][] = [
  ["a ResNet of basic blocks", describeModel({ ...tiny, block: "basic" }), 32],
  ["one of grouped bottlenecks", describeModel({ ...tiny, block: "bottleneck", groups: 32, widthPerGroup: 4 }), 32],
  [
    "one whose strides are dilations, and a stride behind a dilation",
    describeModel({ ...tiny, block: "bottleneck", replaceStrideWithDilation: [true, false, true] }),
    24,
  ],
  ["one with group norms", describeModel({ ...tiny, block: "basic", norm: "groupNorm" }), 33],
  ["one for grey images of an odd size", describeModel({ ...tiny, block: "basic", imageChannels: 1 }), 29],
  ["a ResNet-9, whose logits are scaled", describeModel({ architecture: "resnet9", width: 16, numClasses: 10 }), 32],
  ["a VGG with batch norms", smallVgg("vgg11_bn"), 32],
  ["a VGG whose pooling averages nothing evenly", smallVgg("vgg11"), 64],
];

describe("stock TensorFlow.js gives our logits", () => {
  test.each(cases)("of %s", async (_, description, size) => {
    await tf.setBackend("cpu");
    const model = await load(exported(description, size));
    const before = tf.memory().numTensors;
    const logits = run(model, imagesOf(size, description.imageChannels), size);
    expect(relativeError(logits, await ownLogits(description, size))).toBeLessThan(TOLERANCE);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  test("on its WebAssembly backend too", async () => {
    await tf.setBackend("wasm");
    for (const [, description, size] of cases.slice(0, 2)) {
      const model = await load(exported(description, size));
      const logits = run(model, imagesOf(size, description.imageChannels), size);
      expect(relativeError(logits, await ownLogits(description, size))).toBeLessThan(TOLERANCE);
      model.dispose();
    }
  });
});

describe("the input", () => {
  test("is of the size that the model was trained at, and says so", async () => {
    await tf.setBackend("cpu");
    const model = await load(exported(cases[0]![1], 32));
    expect(model.inputs[0]!.shape).toEqual([-1, 32, 32, 3]);
    expect(() => run(model, imagesOf(40), 40)).toThrow(/shape/);
  });

  test("is of any size where that is not known and the model does not mind", async () => {
    await tf.setBackend("cpu");
    const [, description] = cases[0]!;
    const model = await load(exported(description, undefined));
    expect(relativeError(run(model, imagesOf(40), 40), await ownLogits(description, 40))).toBeLessThan(TOLERANCE);
  });

  test("must be known where the model's pooling depends on it", () => {
    expect(() => exported(smallVgg("vgg11"), undefined)).toThrow(ExportError);
    expect(() => exported(smallVgg("vgg11"), undefined)).toThrow(/avgpool averages to 7 x 7/);
  });
});

describe("the files", () => {
  const files = exported(cases[0]![1], 32);

  test("are shards of 4 MiB at most that hold every weight, and the model last", () => {
    const names = [...files.keys()];
    expect(names.at(-1)).toBe("model.json");
    const [{ paths, weights }] = JSON.parse(files.get("model.json") as string).weightsManifest;
    expect(names.slice(0, -1)).toEqual(paths);
    const sizes = paths.map((path: string) => (files.get(path) as Uint8Array).length);
    expect(sizes.slice(0, -1).every((size: number) => size === 4 * 1024 * 1024)).toBe(true);
    const elements = weights.reduce(
      (sum: number, { shape }: { shape: number[] }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    );
    expect(sizes.reduce((sum: number, size: number) => sum + size, 0)).toBe(4 * elements);
  });

  test("are the same bytes every time", () => {
    const digests = (of: typeof files) =>
      [...of].map(([name, content]) => [name, createHash("sha256").update(content).digest("hex")]);
    expect(digests(exported(cases[0]![1], 32))).toEqual(digests(files));
  });
});

test("weights that do not fit the model are refused", () => {
  const description = describeModel({ ...tiny, block: "basic" });
  const { "fc.bias": _, ...state } = stateOf(description);
  expect(() => [...graphModelFiles({ description, state, generatedBy: "test" })]).toThrow(/missing fc\.bias/);
});
