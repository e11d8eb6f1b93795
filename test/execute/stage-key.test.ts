/** What of an engine, a command, a user's module and the environment enters a stage's key, and that nothing else moves with it. */
import { describe, expect, test } from "vitest";
import type { ResolvedEngine } from "../../src/execute/engine-port.ts";
import { makeStageKey } from "../../src/execute/stage-key.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { diffKeys } from "../../src/identity/fingerprint.ts";
import type { PipelineStage, ShellCommand } from "../../src/language/pipeline.ts";
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
  numerics: { oneDnn: "on" },
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
  ["oneDnn", { numerics: { oneDnn: "off" } }, "on", "off"],
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

test("a declared environment variable is in the key by its value", () => {
  const keyWith = (env: Readonly<Record<string, string>>) =>
    makeStageKey(workspace, { stage: { ...stage, env }, pipelineFolder: "/project", inputs: NONE, engine: undefined });
  expect(diffKeys(keyWith({ MODE: "a" }), keyWith({ MODE: "b" }))).toEqual([
    { part: "env", name: "MODE", before: "a", after: "b" },
  ]);
});

const NONE = { digests: {}, places: {}, tools: {} };

describe("a shell stage", () => {
  const command: ShellCommand = {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the language's notation.
    text: "sort ${inputs.raw}",
    script: "sort $IN",
    values: { SEED: "1" },
    inputVariables: { raw: "IN" },
    outputVariables: { out: "OUT" },
    outputPaths: { out: "a.csv" },
    shell: ["bash", "-c"],
    folder: "/project/pipelines",
    tools: ["sort"],
  };
  const inputs = { digests: { raw: "d1" }, places: { raw: "raw.csv" }, tools: { sort: "d2" } };
  const keyOfShell = (
    changes: { readonly command?: Partial<ShellCommand>; readonly inputs?: Partial<typeof inputs> } = {},
    pipelineFolder = "/project/pipelines",
  ) =>
    makeStageKey(workspace, {
      stage: { ...stage, type: "run", params: {}, command: { ...command, ...changes.command } },
      pipelineFolder,
      inputs: { ...inputs, ...changes.inputs },
      engine: undefined,
    });

  test.each([
    ["its text", { command: { text: "sort -n" } }, "command", "text"],
    ["its shell", { command: { shell: ["sh", "-c"] } }, "command", "shell"],
    ["its working folder", { command: { folder: "/project" } }, "command", "folder"],
    ["a value", { command: { values: { SEED: "2" } } }, "command", "SEED"],
    ["what an output is called", { command: { outputPaths: { out: "b.csv" } } }, "command", "name of output out"],
    ["what an input is called", { inputs: { places: { raw: "raw.tsv" } } }, "command", "name of input raw"],
    ["a listed program", { inputs: { tools: { sort: "d3" } } }, "tool", "sort"],
    ["an input", { inputs: { digests: { raw: "d4" } } }, "input", "raw"],
  ] as const)("has another key with another form of %s, and differs in nothing else", (_what, changes, part, name) => {
    const [old, now] = [keyOfShell(), keyOfShell(changes)];
    expect(now.fingerprint).not.toBe(old.fingerprint);
    expect(diffKeys(old, now)).toMatchObject([{ part, name }]);
    expect(diffKeys(old, now)).toHaveLength(1);
  });

  test("has the same key wherever the project lies, and whatever its variables are called", () => {
    const moved = { folder: "/elsewhere/pipelines", script: "sort $X", inputVariables: { raw: "X" } };
    expect(keyOfShell({ command: moved }, "/elsewhere/pipelines").fingerprint).toBe(keyOfShell().fingerprint);
  });
});

test("a user's own stage counts by its name and its code, not by where its module lies", () => {
  const keyAt = (module: string) => {
    const definition = { type: "clean" };
    const own = {
      ...workspace,
      catalogue: new Map([[module, { definition, schema: {}, module }]]),
    } as unknown as Workspace;
    const user = { ...stage, type: "./stages/clean.ts", module, params: {} };
    return makeStageKey(own, { stage: user, pipelineFolder: "/project", inputs: NONE, engine: undefined });
  };
  expect(keyAt("/a/clean.ts").manifest.stageType).toBe("clean");
  expect(keyAt("/a/clean.ts").fingerprint).toBe(keyAt("/b/clean.ts").fingerprint);
});
