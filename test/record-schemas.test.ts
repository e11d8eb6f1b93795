/** The published schemas of what a run leaves behind hold for values of the types that the program writes. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import type { CommandKey, KeyManifest } from "../src/identity/key-manifest.ts";
import type { RunRecord, StageRecord, SweepRecord } from "../src/record.ts";

const compile = (name: string) =>
  new Ajv({ strict: false, allErrors: true }).compile(
    JSON.parse(readFileSync(new URL(`../schemas/${name}.schema.json`, import.meta.url), "utf8")),
  );

const digest = "0123456789abcdef".repeat(4);

const ran: Required<Omit<StageRecord, "failure">> = {
  stage: "train",
  stageType: "train",
  needs: ["model", "normalize"],
  outcome: "ran",
  reason: "optimizer.learningRate 0.1 -> 0.05",
  fingerprint: digest,
  durationMs: 1234.5,
  params: { epochs: 3, optimizer: { type: "sgd" } },
  outputs: { model: { kind: "model", digest, sizeBytes: 12, facts: { classes: 10 } } },
  metrics: { validAccuracy: 0.5 },
  measurements: { imagesPerSecond: 31.5 },
  warnings: ["slow"],
  engine: { name: "native", version: "TensorFlow 2.18.1", threads: 2, precision: "float32", convolution: "auto" },
  nondeterminism: { stages: ["train"], waived: "it asks the clock" },
};
const failed: StageRecord = {
  stage: "plot",
  stageType: "plot",
  needs: [],
  outcome: "failed",
  reason: "never run",
  durationMs: 0,
  params: {},
  outputs: {},
  metrics: {},
  measurements: {},
  warnings: [],
  failure: { message: "no space", help: "free some", stack: "Error: ...", lastOutput: ["a line"] },
};
const run: RunRecord = {
  format: "tfpipe/run/1",
  id: "20260101T000000-ab12cd",
  name: "baseline",
  pipeline: "resnet34",
  profiles: ["quick"],
  params: { epochs: 3 },
  startedAt: "2026-01-01T00:00:00.000Z",
  durationMs: 2000,
  exitCode: 1,
  stages: [ran, failed],
  environment: {
    tfpipe: "0.1.0",
    node: "20.9.0",
    platform: "linux",
    architecture: "x64",
    cpu: "a processor",
    cores: 2,
    memoryBytes: 8e9,
  },
};
const sweep: Required<SweepRecord> = {
  params: ["learningRate"],
  seed: 7,
  objective: { metric: "evaluate.testAccuracy", mode: "max" },
  trials: [
    {
      name: "learningRate=0.1",
      values: { learningRate: 0.1 },
      state: "failed",
      stages: ["train@learningRate=0.1"],
      metrics: { "train.validAccuracy": 0.5 },
      epochsTrained: 1,
      epochs: 3,
      failure: "evaluate: no space",
    },
  ],
};
const key: KeyManifest = {
  schema: "tfpipe/key/1",
  stageType: "train",
  code: digest,
  packages: { yaml: "2.9.1" },
  params: { epochs: 3 },
  inputs: { model: digest },
  outputs: { model: "model" },
  env: {},
  numerics: { engine: "native", version: "TensorFlow 2.18.1", threads: 2, precision: "float32", convolution: "auto" },
};

describe("the schema of run records", () => {
  const valid = compile("run");
  test("takes what the program writes", () => {
    expect(valid(run) ? [] : valid.errors).toEqual([]);
  });

  test("takes a sweep, and no state that is none", () => {
    expect(valid({ ...run, sweep }) ? [] : valid.errors).toEqual([]);
    const [trial] = sweep.trials;
    expect(valid({ ...run, sweep: { ...sweep, trials: [{ ...trial, state: "pruned" }] } })).toBe(false);
  });

  test("takes what was written before there was a choice of convolution", () => {
    const { convolution: _, ...engine } = ran.engine;
    expect(valid({ ...run, stages: [{ ...ran, engine }] }) ? [] : valid.errors).toEqual([]);
  });

  test.each([
    ["another format", { ...run, format: "tfpipe/run/2" }],
    ["an unknown member", { ...run, host: "here" }],
    ["an outcome that is none", { ...run, stages: [{ ...ran, outcome: "done" }] }],
    ["a digest that is none", { ...run, stages: [{ ...ran, fingerprint: "abc" }] }],
    ["a name that reads like an id", { ...run, name: "20260101" }],
    ["a local time", { ...run, startedAt: "2026-01-01 00:00" }],
  ])("refuses %s", (_, value) => {
    expect(valid(value)).toBe(false);
  });
});

describe("the schema of key manifests", () => {
  const valid = compile("key");
  test("takes what the program writes, with and without numerics", () => {
    const { numerics: _, ...plain } = key;
    expect(valid(key) ? [] : valid.errors).toEqual([]);
    expect(valid(plain) ? [] : valid.errors).toEqual([]);
  });

  test("takes a shell stage's, and nothing else in its command", () => {
    const command: CommandKey = {
      text: "tr a-z A-Z",
      shell: ["bash", "-c"],
      folder: ".",
      values: { SEED: "1" },
      places: { raw: "a.txt" },
      outputPaths: { out: "b.txt" },
      tools: { tr: digest },
    };
    expect(valid({ ...key, command }) ? [] : valid.errors).toEqual([]);
    expect(valid({ ...key, command: { ...command, path: "/usr/bin" } })).toBe(false);
  });

  test("refuses what would change a fingerprint unseen", () => {
    expect(valid({ ...key, host: "here" })).toBe(false);
    expect(valid({ ...key, inputs: { model: "./path" } })).toBe(false);
  });
});
