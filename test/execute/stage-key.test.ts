/** What of an engine's settings enters a stage's key, and that nothing else moves with it. */
import { expect, test } from "vitest";
import type { ResolvedEngine } from "../../src/execute/engine-port.ts";
import { makeStageKey } from "../../src/execute/stage-key.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { diffKeys } from "../../src/identity/fingerprint.ts";
import type { PipelineStage } from "../../src/language/pipeline.ts";
import { describeMachine } from "../../src/platform/machine.ts";

const span = { file: "", start: 0, end: 0 };
const stage: PipelineStage = {
  name: "train",
  type: "train",
  params: { epochs: 1 },
  inputs: {},
  outputs: { model: { kind: "model", description: "Trained." } },
  after: [],
  execution: { retries: 0, cache: true, frozen: false },
  env: {},
  facts: {},
  spans: { name: span, params: {}, inputs: {} },
};
const workspace = {
  catalogue: new Map([["train", { schema: {} }]]),
  code: { resolve: () => ({ digest: "c0de", packages: {}, listing: { modules: {} } }) },
  machine: describeMachine(),
} as unknown as Workspace;
const engine: ResolvedEngine = {
  name: "native",
  version: "TensorFlow 2.18.1",
  folder: "/here",
  build: "cpu-1",
  threads: 2,
  precision: "float32",
  convolution: "auto",
  environment: {},
};
const keyOn = (changes: Partial<ResolvedEngine>) =>
  makeStageKey(workspace, {
    stage,
    pipelineFolder: "/project",
    inputs: { digests: {}, places: {}, tools: {} },
    engine: { ...engine, ...changes },
  });

test.each([
  ["precision", { precision: "bfloat16" }, "float32", "bfloat16"],
  ["convolution", { convolution: "direct" }, "auto", "direct"],
  ["threads", { threads: 1 }, "2", "1"],
] as const)("another %s is another key, and differs in nothing else", (name, changes, before, after) => {
  const [old, now] = [keyOn({}), keyOn(changes)];
  expect(now.fingerprint).not.toBe(old.fingerprint);
  expect(now.checkpointBase).not.toBe(old.checkpointBase);
  expect(now.platformClass).toBe(old.platformClass);
  expect(diffKeys(old, now)).toEqual([{ part: "numerics", name, before, after }]);
});

test("where the engine's files are and how its process is started is in no key", () => {
  const moved = keyOn({ folder: "/elsewhere", environment: { A: "1" } });
  expect(moved.fingerprint).toBe(keyOn({}).fingerprint);
});
