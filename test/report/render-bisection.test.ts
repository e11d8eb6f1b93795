/** What `bisect` and a sampled `verify` print: where it is, from what it was told, and why the search ends. */
import { expect, test } from "vitest";
import type { ArtifactDifference } from "../../src/cache/artifact-difference.ts";
import type { Bisection, TrainingReplay } from "../../src/cache/bisect-runs.ts";
import type { StageVerification } from "../../src/cache/verification.ts";
import { renderBisection } from "../../src/report/render-bisection.ts";
import { renderStageVerification } from "../../src/report/render-verification.ts";
import { textWidth } from "../../src/report/text-width.ts";

const style = { color: false, columns: 90 };

function differs(output: string): ArtifactDifference {
  const first = { index: [12, 0, 3, 6], before: Math.fround(0.031873506), after: Math.fround(0.031873502) };
  const shape = [64, 3, 7, 7];
  const tensor = {
    ...{ tensor: "conv1.weight", dtype: "F32", shape, elements: 9408, differing: 1, first },
    ...{ maxAbsolute: 3.73e-9, maxRelative: 1.17e-7, maxUlp: 1, nanChanges: 0, infinityChanges: 0 },
  };
  const tensors = { tensors: 41, differing: [tensor], onlyBefore: [], onlyAfter: [], reshaped: [], metadata: [] };
  const file = { how: "tensors", path: "model.safetensors", ...tensors } as const;
  return { output, kind: "checkpoint", before: "a".repeat(64), after: "b".repeat(64), files: 3, differing: [file] };
}

function bisection(replay: TrainingReplay): Bisection {
  const run = { pipeline: "resnet34", profiles: [], startedAt: "2026-01-02T10:11:12.000Z" };
  return {
    before: { ...run, id: "20260102T101112-ab12cd", name: "baseline" } as unknown as Bisection["before"],
    after: { ...run, id: "20260102T111112-cd34ef", name: "steeper" } as unknown as Bisection["after"],
    partings: [
      {
        stage: "train",
        stageType: "train",
        causes: [
          { class: "params", difference: { part: "param", name: "schedule.gamma", before: "0.5", after: "0.25" } },
        ],
        reads: [],
        training: {
          epochs: { before: 3, after: 3 },
          equalEpochs: 1,
          minibatch: { minibatch: 2, of: 6, before: 1.25, after: 1.5 },
        },
        replay,
        differences: [differs("model")],
      },
    ],
    following: ["evaluate"],
    same: ["fetch"],
    onlyBefore: [],
    onlyAfter: [],
  };
}

test("the state after the first minibatch that parts is told, and no later one but the end", () => {
  const replayed = { epoch: 2, minibatch: 1, of: 6, difference: differs("state after minibatch 1") };
  const text = renderBisection(
    bisection({ checkpoint: { name: "epoch 2", difference: differs("epoch 2") }, replayed }),
    style,
  );
  expect(text).toMatchInlineSnapshot(`
    "baseline (ab12cd, 2026-01-02 10:11) and steeper (cd34ef, 2026-01-02 10:11) part at train:
      params
      params: schedule.gamma 0.5 -> 0.25
      epoch 1 is equal, every loss and accuracy
      epoch 2: the first loss that differs is that of minibatch 2 of 6, 1.25 -> 1.5
      executed again here, the two are first apart after minibatch 1 of 6 of epoch 2:
        state after minibatch 1: 1 of 3 files differs
          model.safetensors: 1 of 41 tensors differs
            conv1.weight[12, 0, 3, 6] 0.031873506 -> 0.0318735
              1 (0.01 % of) 9,408 elements of F32 [64, 3, 7, 7], at most by 3.73e-9, relative
              1.17e-7, 1 ULP
      at the end:
        model: 1 of 3 files differs
          model.safetensors: 1 of 41 tensors differs
            conv1.weight[12, 0, 3, 6] 0.031873506 -> 0.0318735
              1 (0.01 % of) 9,408 elements of F32 [64, 3, 7, 7], at most by 3.73e-9, relative
              1.17e-7, 1 ULP

    differ because what they read does: evaluate
    the same: fetch"
  `);
  for (const line of text.split("\n")) expect(textWidth(line)).toBeLessThan(style.columns);
});

test("where the search ended before, the checkpoints are what is left to tell", () => {
  const stopped = "the second cannot be executed again here: package sharp 0.33.1 -> 0.34.0";
  const text = renderBisection(
    bisection({ checkpoint: { name: "epoch 2", difference: differs("epoch 2") }, stopped }),
    style,
  );
  expect(text.split("\n").slice(4, 12).join("\n")).toMatchInlineSnapshot(`
    "  epoch 2: the first loss that differs is that of minibatch 2 of 6, 1.25 -> 1.5
      there the search ends: the second cannot be executed again here: package sharp 0.33.1
        -> 0.34.0
      the checkpoints of epoch 2 are the first that differ:
        epoch 2: 1 of 3 files differs
          model.safetensors: 1 of 41 tensors differs
            conv1.weight[12, 0, 3, 6] 0.031873506 -> 0.0318735
              1 (0.01 % of) 9,408 elements of F32 [64, 3, 7, 7], at most by 3.73e-9, relative"
  `);
});

test("a replayed epoch says which it was, what it began at, and why a training was run whole after all", () => {
  const verified = {
    stage: "train",
    stageType: "train",
    verdict: "identical",
    artifacts: 1,
    durationMs: 1900,
  } as const;
  const render = (more: Partial<StageVerification & { readonly verdict: "identical" }>) =>
    renderStageVerification({ ...verified, ...more }, [{ stage: "train" }], style);
  const stretch = { name: "epoch 2", after: "epoch 1" };
  expect(render({ stretch })).toBe("✓ train  identical  epoch 2 alone, from the checkpoint of epoch 1; 1.9 s");
  expect(render({ stretch: { name: "epoch 1" } })).toBe("✓ train  identical  epoch 1 alone, from the beginning; 1.9 s");
  expect(render({ artifacts: 2, whole: "no epoch is there" })).toBe(
    "✓ train  identical  2 artifacts; 1.9 s; run whole: no epoch is there",
  );
});
