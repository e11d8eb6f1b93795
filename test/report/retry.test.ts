/** An attempt that failed, as each reporter shows it. */
import { expect, test } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { createPlainReporter } from "../../src/report/plain-reporter.ts";
import { RunView } from "../../src/report/run-view.ts";
import { plannedStage, runStarted, stageStarted } from "./recorded-run.ts";

const events: readonly RunEvent[] = [
  runStarted([plannedStage("train", "run")]),
  stageStarted("train", 100),
  {
    type: "stage-progressed",
    atMs: 200,
    stage: "train",
    progress: { phase: "epoch 1/2", done: 50, total: 100, unit: "steps" },
  },
  {
    type: "stage-retrying",
    atMs: 1_000,
    stage: "train",
    attempt: 1,
    attempts: 3,
    failure: { message: "its process crashed (SIGSEGV)\nand more", lastOutput: [] },
    pauseMs: 2_000,
  },
];

test("plain lines tell what failed, when it goes on, and that it does", () => {
  const parts: string[] = [];
  const reporter = createPlainReporter({ output: { write: (part) => void parts.push(part), columns: () => 100 } });
  for (const event of events) reporter.onEvent(event);
  reporter.onEvent({ ...stageStarted("train", 3_000), attempt: 2 } as RunEvent);
  expect(parts.join("").split("\n").slice(-3)).toEqual([
    "[1.0s] train  attempt 1 of 3 failed: its process crashed (SIGSEGV); again in 2.0 s",
    "[3.0s] train  runs again: attempt 2",
    "",
  ]);
});

test("the live view begins a stage's progress anew, and says why below it", () => {
  const view = new RunView();
  for (const event of events) view.apply(event);
  const [train] = view.running;
  expect(train!.progress).toBeUndefined();
  expect(train!.meter.fraction).toBeUndefined();
  expect(train!.startedAtMs).toBe(100);
  expect(train!.lastLine).toBe("attempt 1 of 3 failed: its process crashed (SIGSEGV); again in 2.0 s");
});
