/**
 * Two executions of a stage that takes steps, and where they part: found to the very step, from whatever checkpoints are
 * left, whether the recorded losses show it at once or later; and where the search must end, it says why.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bisectRuns, type Parting } from "../../src/cache/bisect-runs.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import { createTrainingReplay } from "../../src/execute/replay-training.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import type { JsonObject } from "../../src/json.ts";
import type { StageRecord } from "../../src/record.ts";
import { runRecord } from "../report/recorded-run.ts";
import { STEPS, StepperRunner } from "./stepper-run.ts";

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
  const stages = { train: { params: runner.params(params) } };
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

  test("is found between what the code did before an edit and after it, and after another one", async () => {
    const before = await train({});
    runner.editCode("state.step === nudgeAt", "state.step === 12");
    workspace = await runner.workspace();
    const after = await train({});
    runner.editCode("Math.fround(", "Math.fround(2 * ");
    workspace = await runner.workspace();
    const { causes, replay } = await part(before, after);
    expect(causes).toMatchObject([{ class: "code", difference: { name: "puppet" } }]);
    expect(replay!.replayed).toMatchObject(placeOf(12));
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

  test("the code of one of the two is another one by now, and the store has lost it", async () => {
    const before = await train({});
    runner.editCode("state.step === nudgeAt", "state.step === 12");
    workspace = await runner.workspace();
    const after = await train({});
    const { ran } = workspace.traces.find(before[0]!.fingerprint!)[0]!.code;
    workspace.files.remove(workspace.layout.object(ran!.files[ran!.entry]!.digest));
    expect((await part(before, after)).replay!.stopped).toMatch(
      /^the first cannot be executed again here: puppet was edited, and of the code that it had object \w+ is missing/,
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
