/**
 * Two executions of a stage that takes steps, and where they part: found to the very step, from whatever checkpoints are
 * left, whether the recorded losses show it at once or later; and where the search must end, it says why.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bisectRuns, type Parting } from "../../src/cache/bisect-runs.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import type { StageDefinition } from "../../src/contract.ts";
import { createTrainingReplay } from "../../src/execute/replay-training.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import type { JsonObject } from "../../src/json.ts";
import type { Pipeline } from "../../src/language/pipeline.ts";
import type { StageRecord } from "../../src/record.ts";
import { runRecord } from "../report/recorded-run.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

const STEPS = 8;
const EPOCHS = 3;

/** A weight that grows by steps, and is moved a little once where it is told to be. The loss is a coarse look at it. */
const STEPPER = `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
export const puppet = { type: "puppet", async run({ params, checkpoints, outputs, progress, signal }) {
  const { epochs, steps, nudgeAt, nudge, blur, flag } = params;
  let state = { step: 0, weight: 1, loss: [], epochs: [] };
  for (let epoch = epochs; epoch > 0; epoch--) {
    const found = await checkpoints.find({ epoch });
    if (found === undefined) continue;
    state = JSON.parse(readFileSync(found.path("state.json"), "utf8"));
    break;
  }
  const write = (folder) => {
    const header = JSON.stringify({ weight: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }).padEnd(96);
    const bytes = Buffer.alloc(8 + 96 + 4);
    bytes.writeBigUInt64LE(96n);
    bytes.write(header, 8);
    bytes.writeFloatLE(state.weight, 104);
    writeFileSync(folder + "/model.safetensors", bytes);
  };
  const save = (key) => checkpoints.save(key, async (folder) => {
    write(folder);
    writeFileSync(folder + "/state.json", JSON.stringify(state));
  });
  while (state.step < epochs * steps) {
    const epoch = Math.floor(state.step / steps) + 1;
    state.loss.push(Math.round(state.weight / blur));
    state.step++;
    state.weight = Math.fround(state.weight * 1.25 + (state.step === nudgeAt || existsSync(flag) ? nudge : 0));
    progress({ phase: "epoch " + epoch, done: state.step, total: epochs * steps, unit: "steps" });
    if (signal.aborted) {
      await save({ within: epoch });
      throw signal.reason;
    }
    if (state.step % steps > 0) continue;
    state.epochs.push({ epoch, trainLoss: state.loss.at(-1) });
    await save({ epoch });
  }
  write(outputs.model.folder);
  const { loss, epochs: records } = state;
  writeFileSync(outputs.history.folder + "/history.json", JSON.stringify({ iterationsPerEpoch: steps, loss, epochs: records }));
} };
`;

const outputs = {
  model: { kind: "model", description: "The weight." },
  history: { kind: "history", description: "What was seen of it." },
} as const;

const definition: StageDefinition = {
  type: "puppet",
  description: "Takes steps.",
  inputs: {},
  outputs,
  stretches: async ({ params }) =>
    Array.from({ length: Number(params.epochs) }, (_, before) => ({
      name: `epoch ${before + 1}`,
      needs: before === 0 ? [] : [{ epoch: before }],
      to: { epoch: before + 1 },
      done: (before + 1) * Number(params.steps),
    })),
  run: async () => {},
};

class StepperRunner extends PuppetRunner {
  constructor() {
    super();
    writeFileSync(join(this.folder, "code", "puppet.mjs"), STEPPER);
  }

  override async workspace(...parts: Parameters<PuppetRunner["workspace"]>): Promise<Workspace> {
    return { ...(await super.workspace(...parts)), catalogue: new Map([["puppet", { definition, schema: {} }]]) };
  }

  override pipeline(stages: Readonly<Record<string, PuppetStage>>, name?: string): Pipeline {
    const pipeline = super.pipeline(stages, name);
    return { ...pipeline, stages: pipeline.stages.map((stage) => ({ ...stage, outputs })) };
  }
}

let runner: StepperRunner;
let workspace: Workspace;
let probes: number[];
beforeEach(async () => {
  runner = new StepperRunner();
  workspace = await runner.workspace();
  probes = [];
});
afterEach(() => runner.remove());

async function train(params: JsonObject, changed: Partial<Workspace> = {}): Promise<readonly StageRecord[]> {
  const flag = join(runner.folder, "flag");
  const all = { epochs: EPOCHS, steps: STEPS, nudgeAt: 0, nudge: 0.001, blur: 0.0001, flag, ...params };
  const stages = { train: { params: all } };
  return (await runner.run(stages, { workspace: { ...workspace, ...changed }, force: ["train"] })).records;
}

async function part(before: readonly StageRecord[], after: readonly StageRecord[]): Promise<Parting> {
  const parts = { ...workspace, runs: { read: () => undefined }, comparer: createContentComparer() };
  const replay = createTrainingReplay(workspace, {
    comparer: createContentComparer(),
    worker: join(import.meta.dirname, "..", "..", "dist", "worker.js"),
    environment: process.env,
    signal: new AbortController().signal,
    killSignal: new AbortController().signal,
    onMessage: () => {},
    onProbe: (_, minibatch) => probes.push(minibatch),
  });
  const { partings } = await bisectRuns({ ...parts, replay }, runRecord(before), runRecord(after));
  expect(partings).toHaveLength(1);
  return partings[0]!;
}

/** `step` counts over all epochs. */
function placeOf(step: number) {
  return { epoch: Math.ceil(step / STEPS), minibatch: ((step - 1) % STEPS) + 1, of: STEPS };
}

describe("the step after which two trainings are apart", () => {
  test.each([
    ["the next loss shows it", 12, 0.0001],
    ["it is the first of all", 1, 0.0001],
    ["it is the last of an epoch", 16, 0.0001],
    ["a loss shows it only some steps later", 10, 0.05],
  ])("is found where %s", async (_, nudgeAt, blur) => {
    const { training, replay } = await part(await train({ blur }), await train({ blur, nudgeAt }));
    const place = placeOf(nudgeAt);
    expect(replay!.replayed).toMatchObject({
      ...place,
      difference: { differing: [{ path: "model.safetensors", differing: [{ tensor: "weight", differing: 1 }] }, {}] },
    });
    expect(replay!.stopped).toBeUndefined();
    const shown = training!.equalEpochs * STEPS + training!.minibatch!.minibatch;
    expect(shown).toBeGreaterThan(nudgeAt);
    // By the losses it is mostly known at once.
    if (shown === nudgeAt + 1) expect(probes.length).toBeLessThan(2 + Math.log2(STEPS));
  });

  test("is found from an earlier checkpoint where the one before the epoch is gone", async () => {
    const [before, after] = [await train({}), await train({ nudgeAt: 20 })];
    for (const [record] of [before, after]) {
      const { checkpointBase } = workspace.traces.find(record!.fingerprint!)[0]!;
      workspace.checkpoints.drop(checkpointBase!, { epoch: 2 });
    }
    const { replay } = await part(before, after);
    expect(replay!.replayed).toMatchObject(placeOf(20));
  });

  test("is looked for in the epoch whose checkpoints differ first, where no loss ever does", async () => {
    const { training, replay } = await part(await train({ blur: 1e6 }), await train({ blur: 1e6, nudgeAt: 13 }));
    expect(training).toBeUndefined();
    expect(replay).toMatchObject({ checkpoint: { name: "epoch 2" }, replayed: placeOf(13) });
  });

  test("leaves nothing behind, and changes nothing that is there", async () => {
    const records = [await train({}), await train({ nudgeAt: 12 })] as const;
    const there = () => workspace.files.list(join(runner.folder, "artifacts"));
    const { checkpointBase } = workspace.traces.find(records[1][0]!.fingerprint!)[0]!;
    const kept = () => workspace.checkpoints.list(checkpointBase!).map(({ digest }) => digest);
    const before = [there(), kept()];
    expect((await part(...records)).replay!.replayed).toBeDefined();
    expect([there(), kept()]).toEqual(before);
  });
});

describe("the search ends, and says why, where", () => {
  test("one of the two ran on another class of machines", async () => {
    const machine = { ...workspace.machine, instructions: "another" };
    const { replay, causes } = await part(await train({}), await train({ nudgeAt: 12 }, { machine }));
    expect(causes.map((cause) => cause.class)).toEqual(["params", "platform"]);
    expect(replay).toMatchObject({
      checkpoint: { name: "epoch 2" },
      stopped: expect.stringMatching(/^the second cannot be executed again here: it ran on .*another, and this is /),
    });
    expect(replay!.replayed).toBeUndefined();
  });

  test("the code of one of the two is another one by now", async () => {
    const before = await train({});
    const { code } = workspace;
    const resolve: typeof code.resolve = (...asked) => {
      const modules = { puppet: "e".repeat(64) };
      return { ...code.resolve(...asked), digest: "e".repeat(64), listing: { modules } };
    };
    const after = await train({ nudgeAt: 12 }, { code: { ...code, resolve } });
    expect((await part(before, after)).replay!.stopped).toBe(
      "the second cannot be executed again here: puppet was edited",
    );
  });

  test("both give the same when they are executed again", async () => {
    const before = await train({});
    writeFileSync(join(runner.folder, "flag"), "");
    const after = await train({});
    rmSync(join(runner.folder, "flag"));
    const { causes, training, replay } = await part(before, after);
    expect(causes.map((cause) => cause.class)).toEqual(["nondeterminism"]);
    expect(training).toMatchObject({ equalEpochs: 0, minibatch: { minibatch: 2 } });
    expect(replay).toEqual({
      stopped: "executed again on this machine, both give one and the same state after minibatch 2 of epoch 1",
    });
  });
});
