/** Events and records as a run gives them, for tests to feed to reporters and views. */
import type { RunEvent } from "../../src/events.ts";
import type { PlannedStage, RunRecord, StageDecision, StageOutcome, StageRecord } from "../../src/record.ts";

export function plannedStage(stage: string, decision: StageDecision, more: Partial<PlannedStage> = {}): PlannedStage {
  return { stage, stageType: stage, decision, reason: "never run", needs: [], ...more };
}

export function stageRecord(stage: string, outcome: StageOutcome, more: Partial<StageRecord> = {}): StageRecord {
  return {
    stage,
    stageType: stage,
    needs: [],
    outcome,
    reason: outcome === "skipped" ? "train failed" : "never run",
    durationMs: 1200,
    params: {},
    outputs: {},
    metrics: {},
    measurements: {},
    warnings: [],
    ...more,
  };
}

export function runRecord(stages: readonly StageRecord[], more: Partial<RunRecord> = {}): RunRecord {
  return {
    format: "tfpipe/run/1",
    id: "r1",
    pipeline: "resnet34",
    profiles: ["quick"],
    params: {},
    startedAt: "2026-01-02T10:11:12.000Z",
    durationMs: 75_000,
    exitCode: 0,
    stages,
    environment: {
      tfpipe: "0.1.0",
      node: "20.9.0",
      platform: "linux",
      architecture: "x64",
      cpu: "a processor",
      cores: 2,
      memoryBytes: 8e9,
    },
    ...more,
  };
}

export function runStarted(stages: readonly PlannedStage[], atMs = 0): RunEvent {
  return { type: "run-started", atMs, runId: "r1", pipeline: "resnet34", profiles: ["quick"], params: {}, stages };
}

export function stageStarted(stage: string, atMs: number): RunEvent {
  return { type: "stage-started", atMs, stage, stageType: stage, fingerprint: "f", reason: "never run" };
}

export function stageFinished(record: StageRecord, atMs: number): RunEvent {
  return { type: "stage-finished", atMs, stage: record.stage, record };
}

/** `done` counts within the epoch. */
export function trainProgress(epoch: number, done: number, atMs: number): RunEvent {
  const figures = { epoch, loss: 2.4 / epoch, imagesPerSecond: 210.4 };
  const progress = { phase: `epoch ${epoch}/4`, done: (epoch - 1) * 100 + done, total: 400, unit: "steps", figures };
  return { type: "stage-progressed", atMs, stage: "train", progress };
}

export const planOfFive: readonly PlannedStage[] = [
  plannedStage("fetch", "fresh"),
  plannedStage("normalize", "restore", { needs: ["fetch"] }),
  plannedStage("train", "run", { needs: ["normalize"], expectedMs: 60_000 }),
  plannedStage("evaluate", "pending", { needs: ["train"], expectedMs: 5_000 }),
  plannedStage("plot", "pending", { needs: ["train", "evaluate"], expectedMs: 2_000 }),
];

const meanWarning = "declared mean 0.49 is far from the measured 0.41";
const trained = stageRecord("train", "ran", { durationMs: 65_000, metrics: { bestEpoch: 3, validAccuracy: 0.5345 } });
const finished: readonly StageRecord[] = [
  stageRecord("fetch", "fresh"),
  stageRecord("normalize", "restored", { warnings: [meanWarning] }),
  trained,
  stageRecord("evaluate", "ran", { durationMs: 4_700, metrics: { testLoss: 1.40212, testAccuracy: 0.5123 } }),
  stageRecord("plot", "ran", { durationMs: 2_100 }),
];

/** Five stages, one fresh, one restored with a warning, three executed. */
export const successfulRun: readonly RunEvent[] = [
  runStarted(planOfFive),
  stageFinished(finished[0]!, 10),
  { type: "stage-warned", atMs: 50, stage: "normalize", line: meanWarning },
  stageFinished(finished[1]!, 60),
  stageStarted("train", 100),
  { type: "stage-logged", atMs: 150, stage: "train", stream: "log", line: "Epoch 1 | Batch 1 | Loss 2.30" },
  trainProgress(1, 1, 200),
  trainProgress(1, 50, 8_000),
  trainProgress(2, 1, 16_000),
  trainProgress(3, 100, 48_000),
  stageFinished(trained, 65_100),
  stageStarted("evaluate", 65_200),
  stageFinished(finished[3]!, 69_900),
  stageStarted("plot", 70_000),
  stageFinished(finished[4]!, 72_100),
  { type: "run-finished", atMs: 75_000, record: runRecord(finished) },
];

const failedTrain = stageRecord("train", "failed", {
  durationMs: 12_300,
  failure: {
    message: "the loss became NaN at step 312, first in layer3.4.conv2",
    help: "lower optimizer.learningRate",
    lastOutput: ["Batch 311 | Loss 88.2", "Batch 312 | Loss nan"],
  },
});
const unfinished = [
  finished[0]!,
  stageRecord("normalize", "restored"),
  failedTrain,
  stageRecord("evaluate", "skipped"),
  stageRecord("plot", "skipped"),
];

export const failedRun: readonly RunEvent[] = [
  runStarted(planOfFive),
  stageFinished(unfinished[0]!, 10),
  stageFinished(unfinished[1]!, 60),
  stageStarted("train", 100),
  ...unfinished.slice(2).map((record) => stageFinished(record, 12_400)),
  { type: "run-finished", atMs: 12_500, record: runRecord(unfinished, { exitCode: 1, durationMs: 12_500 }) },
];

/** Nothing had to be done. */
export const freshRun: readonly RunEvent[] = [
  runStarted(planOfFive.map((planned) => ({ ...planned, decision: "fresh" as const }))),
  ...planOfFive.map(({ stage }) => stageFinished(stageRecord(stage, "fresh"), 20)),
  {
    type: "run-finished",
    atMs: 118,
    record: runRecord(
      planOfFive.map(({ stage }) =>
        stageRecord(stage, "fresh", { metrics: stage === "train" ? { bestEpoch: 3 } : {} }),
      ),
      { durationMs: 118 },
    ),
  },
];
