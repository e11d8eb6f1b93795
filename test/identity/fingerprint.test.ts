import { describe, expect, test } from "vitest";
import { diffKeys, fingerprintOf } from "../../src/identity/fingerprint.ts";
import type { KeyManifest } from "../../src/identity/key-manifest.ts";
import { paramsForCheckpoints, paramsForKey } from "../../src/identity/param-roles.ts";

const manifest: KeyManifest = {
  schema: "tfpipe/key/1",
  stageType: "train",
  code: "c0de",
  packages: { sharp: "1.0.0" },
  params: { epochs: 3, optimizer: { type: "sgd", learningRate: 0.1 }, milestones: [1, 2] },
  inputs: { train: "aaaa" },
  outputs: { model: "model" },
  env: {},
  numerics: { engine: "native", version: "TensorFlow 2.18.1", threads: 2, precision: "float32", convolution: "auto" },
};
const code = { modules: { "stages/train.ts": "1", "src/ml/train.ts": "2" } };

describe("a fingerprint", () => {
  test("does not depend on the order in which members were written", () => {
    const reversed = Object.fromEntries(Object.entries(manifest).reverse()) as unknown as KeyManifest;
    expect(fingerprintOf(reversed)).toBe(fingerprintOf(manifest));
  });

  test("moves with every part of the manifest", () => {
    const changes: Partial<KeyManifest>[] = [
      { stageType: "x" },
      { code: "x" },
      { packages: {} },
      { params: { ...manifest.params, epochs: 4 } },
      { inputs: { train: "bbbb" } },
      { outputs: {} },
      { env: { A: "1" } },
      { numerics: { ...manifest.numerics!, threads: 1 } },
      { numerics: { ...manifest.numerics!, precision: "bfloat16" } },
      { numerics: { ...manifest.numerics!, convolution: "winograd" } },
    ];
    const all = changes.map((change) => fingerprintOf({ ...manifest, ...change }));
    expect(new Set([...all, fingerprintOf(manifest)]).size).toBe(changes.length + 1);
  });
});

describe("the difference of two keys", () => {
  test("names each param, input, module, package and number that moved, old and new", () => {
    const after = {
      manifest: {
        ...manifest,
        code: "c1de",
        packages: { sharp: "1.0.1" },
        params: { epochs: 3, optimizer: { type: "sgd", learningRate: 0.05 }, milestones: [1, 2, 4], seed: 1 },
        inputs: { train: "bbbb" },
        numerics: { ...manifest.numerics!, threads: 1 },
      },
      code: { modules: { "stages/train.ts": "1", "src/ml/train.ts": "3" } },
    };
    expect(diffKeys({ manifest, code }, after)).toEqual([
      { part: "param", name: "milestones", before: "[1,2]", after: "[1,2,4]" },
      { part: "param", name: "optimizer.learningRate", before: "0.1", after: "0.05" },
      { part: "param", name: "seed", after: "1" },
      { part: "input", name: "train", before: "aaaa", after: "bbbb" },
      { part: "code", name: "src/ml/train.ts", before: "2", after: "3" },
      { part: "package", name: "sharp", before: "1.0.0", after: "1.0.1" },
      { part: "numerics", name: "threads", before: "2", after: "1" },
    ]);
  });

  test("tells a key of before there was a choice of convolution from one with a choice", () => {
    const { convolution: _, ...numerics } = manifest.numerics!;
    const old = { manifest: { ...manifest, numerics } as KeyManifest, code };
    expect(diffKeys(old, { manifest, code })).toEqual([{ part: "numerics", name: "convolution", after: "auto" }]);
  });

  test("is empty for equal keys", () => {
    expect(diffKeys({ manifest, code }, { manifest, code })).toEqual([]);
  });
});

describe("params by role", () => {
  const schema = {
    properties: {
      epochs: { "x-role": "horizon" },
      logInterval: { "x-role": "execution" },
      schedule: { "x-role": "perEpoch" },
      optimizer: {
        oneOf: [
          { properties: { type: { const: "sgd" }, note: { "x-role": "execution" } } },
          { properties: { type: { const: "adam" } } },
        ],
      },
      batchSize: {},
    },
  };
  const params = {
    epochs: 5,
    logInterval: 9,
    schedule: { type: "step" },
    optimizer: { type: "sgd", note: "x" },
    batchSize: 32,
  };

  test("execution params never enter a key, whatever their depth", () => {
    expect(paramsForKey(params, schema)).toEqual({
      epochs: 5,
      schedule: { type: "step" },
      optimizer: { type: "sgd" },
      batchSize: 32,
    });
  });

  test("horizon and per-epoch params do not enter the keys of checkpoints", () => {
    expect(paramsForCheckpoints(params, schema)).toEqual({ optimizer: { type: "sgd" }, batchSize: 32 });
  });
});
