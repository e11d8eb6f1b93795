/** Stops of every kind: afterwards the next run goes on, and ends in the same bits as one that was never stopped. */
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { workersOf } from "./killed-training.ts";
import type { Project, RunResult } from "./project.ts";
import { createTinyProject, stagesThat } from "./tiny-pipeline.ts";

let project: Project;
beforeEach(async () => {
  project = await createTinyProject();
});
afterEach(() => project.remove());

const RUN = ["run", "tiny", "--json", "--param", "epochs=3"];
const firstEpochDone = (event: RunEvent) =>
  event.type === "stage-logged" && event.stage === "train" && /^Epoch: 001\/003 \| Train/.test(event.line);
const stepOfEpoch = (epoch: number, step: number) => (event: RunEvent) =>
  event.type === "stage-progressed" &&
  event.stage === "train" &&
  event.progress.phase === `epoch ${epoch}/3` &&
  event.progress.done >= (epoch - 1) * 6 + step;
const epochsTrained = (result: RunResult) =>
  result.events
    .flatMap((event) =>
      event.type === "stage-logged" ? (/^Epoch: (\d+)\/\d+ \| Train/.exec(event.line)?.[1] ?? []) : [],
    )
    .map(Number);
const modelDigest = (result: RunResult) => result.stage("train").outputs.model!.digest;

async function uninterrupted(): Promise<RunResult> {
  const result = await project.run([...RUN, "--artifacts", "straight"]);
  expect(epochsTrained(result)).toEqual([1, 2, 3]);
  return result;
}

describe("a run that is stopped while it trains", () => {
  test("by SIGKILL goes on from the last epoch's checkpoint and ends in the same bits", async () => {
    const straight = await uninterrupted();
    const running = project.start(RUN);
    await running.event(firstEpochDone);
    await running.event(stepOfEpoch(2, 1));
    running.child.kill("SIGKILL");
    expect((await running.result).signal).toBe("SIGKILL");

    const resumed = await project.run(RUN);
    expect(resumed.code).toBe(0);
    expect(epochsTrained(resumed)).toEqual([2, 3]);
    expect(stagesThat(resumed.outcomes, "fresh")).toEqual(["fetch", "split", "normalize", "model"]);
    expect(modelDigest(resumed)).toBe(modelDigest(straight));
    expect(readdirSync(project.path("artifacts/.store/locks"))).toEqual([]);
  });

  test("by Ctrl-C ends with 130, keeps the step, and ends in the same bits later", async () => {
    const straight = await uninterrupted();
    const running = project.start(RUN);
    await running.event(stepOfEpoch(2, 2));
    running.child.kill("SIGINT");
    const stopped = await running.result;
    expect(stopped.code).toBe(130);
    expect(stopped.stage("train").outcome).toBe("interrupted");
    expect(stopped.stage("evaluate").outcome).toBe("skipped");

    const resumed = await project.run(RUN);
    expect(epochsTrained(resumed)).toEqual([2, 3]);
    expect(modelDigest(resumed)).toBe(modelDigest(straight));
    expect(resumed.stage("train").outputs.history!.digest).toBe(straight.stage("train").outputs.history!.digest);
  });

  test("by a second Ctrl-C ends at once, and leaves no process behind", async () => {
    const running = project.start(RUN);
    await running.event(stepOfEpoch(1, 1));
    expect(workersOf(project)).toHaveLength(1);
    running.child.kill("SIGINT");
    running.child.kill("SIGTERM"); // another signal, so that the two cannot become one
    expect((await running.result).code).toBe(130);
    await expect.poll(() => workersOf(project)).toEqual([]);
    expect((await project.run(RUN)).code).toBe(0);
  });
});

describe("two runs at once", () => {
  test("execute each stage once between them and agree", async () => {
    const [one, two] = await Promise.all([project.run(RUN), project.run(RUN)]);
    expect([one.code, two.code]).toEqual([0, 0]);
    for (const stage of Object.keys(one.outcomes)) {
      const executions = [one, two].filter((result) => result.outcomes[stage] === "ran");
      expect(executions, stage).toHaveLength(1);
      expect(one.stage(stage).fingerprint).toBe(two.stage(stage).fingerprint);
    }
    expect(modelDigest(one)).toBe(modelDigest(two));
  });
});
