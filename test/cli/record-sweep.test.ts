/** From stages to trials: whose instances are whose, how each ended, and which epochs were executed for it. */
import { describe, expect, test } from "vitest";
import { recordSweep } from "../../src/cli/record-sweep.ts";
import type { JsonObject } from "../../src/json.ts";
import type { Pipeline, PipelineStage } from "../../src/language/pipeline.ts";
import type { StageRecord } from "../../src/record.ts";
import { stageRecord } from "../report/recorded-run.ts";

const nameOf = (values: JsonObject) =>
  Object.entries(values)
    .map(([axis, value]) => `${axis}=${String(value)}`)
    .join(",");
const instance = (of: string, values: JsonObject) =>
  ({ name: `${of}@${nameOf(values)}`, instance: { of, name: nameOf(values), values } }) as unknown as PipelineStage;
const TRIALS = [
  { rate: 1, size: 8 },
  { rate: 1, size: 9 },
  { rate: 2, size: 8 },
];
/** `train` comes from the rate alone, `evaluate` from both, `fold` has a matrix of its own beside the rate. */
const pipeline = {
  stages: [
    { name: "fetch" } as PipelineStage,
    ...[1, 2].map((rate) => instance("train", { rate })),
    ...TRIALS.map((values) => instance("evaluate", values)),
    ...[1, 2].flatMap((rate) => [1, 2].map((part) => instance("fold", { rate, part }))),
  ],
  sweep: { params: ["rate", "size"], trials: TRIALS.map((values) => ({ name: nameOf(values), values })) },
} as unknown as Pipeline;
const training = (rate: number, more: Partial<StageRecord> = {}) =>
  stageRecord(`train@rate=${rate}`, "ran", {
    metrics: { epochs: 5, validLoss: rate },
    measurements: { epochsTrained: 3 },
    ...more,
  });
const evaluations = TRIALS.map((values, i) =>
  stageRecord(`evaluate@${nameOf(values)}`, "ran", { metrics: { loss: i } }),
);
const folds = [1, 2].flatMap((rate) =>
  [1, 2].map((part) => stageRecord(`fold@rate=${rate},part=${part}`, "fresh", { metrics: { loss: 1 } })),
);
const fetch = stageRecord("fetch", "fresh");
const recorded = (records: readonly StageRecord[]) => recordSweep(pipeline, records, {}).trials;

describe("a trial", () => {
  test("has the instances with its values, and their metrics where there is one of a stage", () => {
    const [first, , third] = recorded([fetch, training(1), training(2), ...evaluations, ...folds]);
    expect(first!.stages).toEqual([
      "train@rate=1",
      "evaluate@rate=1,size=8",
      "fold@rate=1,part=1",
      "fold@rate=1,part=2",
    ]);
    expect(third!.metrics).toEqual({ "train.epochs": 5, "train.validLoss": 2, "evaluate.loss": 2 });
  });

  test("counts epochs that were executed for several of them once, and none that were there", () => {
    const all = recorded([fetch, training(1), training(2, { outcome: "restored" }), ...evaluations]);
    expect(all.map(({ epochsTrained, epochs }) => [epochsTrained, epochs])).toEqual([
      [3, 5],
      [0, 5],
      [0, 5],
    ]);
  });

  test("ends as its stages do, and as what they need", () => {
    const failure = { message: "the loss is NaN", lastOutput: [] };
    const failed = training(1, { outcome: "failed", failure, metrics: {}, measurements: {} });
    const skipped = evaluations.map((record) => ({ ...record, outcome: "skipped" as const, reason: "needs train" }));
    expect(recorded([fetch, failed, training(2), ...skipped.slice(0, 2), evaluations[2]!])).toMatchObject([
      { state: "failed", failure: "train: the loss is NaN" },
      { state: "failed", failure: "train: the loss is NaN" },
      { state: "done" },
    ]);
    expect(recorded([stageRecord("fetch", "failed", { failure }), ...skipped]).map((trial) => trial.failure)).toEqual(
      Array(3).fill("evaluate: needs train"),
    );
    const stopped = { ...evaluations[2]!, outcome: "skipped" as const, reason: "the run was interrupted" };
    expect(
      recorded([fetch, training(1), training(2, { outcome: "interrupted" }), ...evaluations.slice(0, 2), stopped]).map(
        ({ state }) => state,
      ),
    ).toEqual(["done", "done", "interrupted"]);
  });

  test("of which only some stages were asked for has those alone", () => {
    expect(recorded([training(1), training(2)]).map(({ stages }) => stages)).toEqual([
      ["train@rate=1"],
      ["train@rate=1"],
      ["train@rate=2"],
    ]);
  });
});
