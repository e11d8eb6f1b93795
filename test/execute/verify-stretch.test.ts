/** One stretch of a stage that leaves checkpoints, replayed from its predecessor: which is drawn, what is compared, what cannot be. */
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Trace } from "../../src/cache/trace-store.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import { type VerifiedResult, verifyStage } from "../../src/execute/verify-stage.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { StepperRunner } from "./stepper-run.ts";

const worker = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "worker.js");

let runner: StepperRunner;
let workspace: Workspace;
let trace: Trace;
let drawnFrom: number[];
beforeEach(async () => {
  runner = new StepperRunner();
  workspace = await runner.workspace();
  drawnFrom = [];
  const { records } = await runner.run({ train: { params: runner.params() } }, { workspace });
  trace = workspace.traces.find(records[0]!.fingerprint!)[0]!;
});
afterEach(() => runner.remove());

/** The stretch in the place `first` of those that there are, then the others in their order. */
async function verify(first: number, nondeterministic?: string): Promise<VerifiedResult> {
  const execution = nondeterministic === undefined ? {} : { execution: { nondeterministic } };
  const pipeline = runner.pipeline({ train: { params: runner.params(), ...execution } });
  return verifyStage(workspace, {
    stage: pipeline.stages[0]!,
    pipelineFolder: pipeline.folder,
    traces: [trace],
    lookups: [],
    comparer: createContentComparer(),
    worker,
    environment: process.env,
    signal: new AbortController().signal,
    killSignal: new AbortController().signal,
    onMessage: () => {},
    draw(count) {
      drawnFrom.push(count);
      const all = Array.from({ length: count }, (_, at) => at);
      return [first, ...all.filter((at) => at !== first)].slice(0, count);
    },
  });
}

const linkOf = (epoch: number) => workspace.checkpoints.peek(trace.checkpointBase!, { epoch });
const drop = (epoch: number) => workspace.checkpoints.drop(trace.checkpointBase!, { epoch });

test("every stretch is identical where nothing differs, from the first to the last", async () => {
  for (const [at, stretch] of [
    { name: "epoch 1" },
    { name: "epoch 2", after: "epoch 1" },
    { name: "epoch 3", after: "epoch 2" },
  ].entries())
    expect((await verify(at)).verdict).toMatchObject({ verdict: "identical", artifacts: 1, stretch });
  expect(drawnFrom).toEqual([3, 3, 3]);
});

test("what it gives this time is another result of the key, unless the pipeline has a reason", async () => {
  writeFileSync(join(runner.folder, "flag"), "");
  const { verdict, disagreeing } = await verify(1);
  expect(verdict).toMatchObject({
    verdict: "differs",
    stretch: { name: "epoch 2" },
    differences: [{ output: "epoch 2", kind: "checkpoint", files: 2 }],
  });
  const [before, after] = [disagreeing!.before, disagreeing!.after].map(({ outputs }) => outputs["epoch 2"]!.digest);
  expect(before).toBe((await linkOf(2))!.digest);
  expect(after).not.toBe(before);
  expect((await verify(1, "it looks at a file")).verdict).toMatchObject({ waived: "it looks at a file" });
});

test("a stretch whose checkpoint or predecessor is gone or damaged is passed over", async () => {
  drop(3);
  // Its bytes are another's: the file is not what its name says.
  const model = (await linkOf(1))!.files.find(({ path }) => path === "model.safetensors")!;
  rmSync(model.at);
  writeFileSync(model.at, "x".repeat(model.sizeBytes));
  const { verdict } = await verify(1);
  // Of epochs 1 and 2, neither can be begun or compared.
  expect(drawnFrom).toEqual([2]);
  expect(verdict).toMatchObject({
    verdict: "identical",
    artifacts: 2,
    whole: "no part of it has both its own checkpoint and the one before in the store",
  });
});

test("with a link in the middle gone, what is on both sides of it cannot be drawn", async () => {
  drop(2);
  expect((await verify(0)).verdict).toMatchObject({ stretch: { name: "epoch 1" } });
  expect(drawnFrom).toEqual([1]);
});
