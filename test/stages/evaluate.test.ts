import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Artifact } from "../../src/contract.ts";
import { readStateFile } from "../../src/ml/checkpoint/model-files.ts";
import { openSafetensors, writeSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { buildModel } from "../../stages/build-model.ts";
import { evaluate } from "../../stages/evaluate.ts";
import { learnableImages } from "./learnable-images.ts";
import { type StageRun, type StageWorkbench, stageWorkbench } from "./stage-workbench.ts";

const classNames = ["red", "green", "blue", "grey"];
let workbench: StageWorkbench;
let model: Artifact;
let images: Artifact;
let run: StageRun;
beforeAll(async () => {
  workbench = stageWorkbench();
  const resnet = { block: "basic", layers: [1, 1, 1, 1], numClasses: 4, imageSize: 8, seed: 2 };
  model = (await workbench.run(buildModel, resnet, {})).outputs.model!;
  images = learnableImages(workbench, "test", { count: 7, classNames });
  run = await workbench.run(evaluate, { batchSize: 3 }, { model, test: images });
});
afterAll(() => workbench.remove());

const json = (output: string, file: string) => JSON.parse(readFileSync(run.outputs[output]!.path(file), "utf8"));

describe("evaluate", () => {
  test("leaves metrics, predictions and a confusion matrix that agree with each other", () => {
    const metrics = json("metrics", "metrics.json");
    const { classNames: names, matrix } = json("confusion", "confusion.json");
    expect(names).toEqual(classNames);
    const predictions = openSafetensors(run.outputs.predictions!.path("predictions.safetensors"));
    expect(JSON.parse(predictions.metadata.classNames!)).toEqual(classNames);
    const labels = predictions.read("labels").data as Int32Array;
    const predicted = predictions.read("predicted").data as Int32Array;
    const probabilities = predictions.read("probabilities");
    expect([...labels]).toEqual([0, 1, 2, 3, 0, 1, 2]);
    expect(probabilities.shape).toEqual([7, 4]);
    let hits = 0;
    for (let i = 0; i < 7; i++) {
      const row = [...(probabilities.data as Float32Array).subarray(4 * i, 4 * i + 4)];
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(row.indexOf(Math.max(...row))).toBe(predicted[i]);
      hits += predicted[i] === labels[i] ? 1 : 0;
    }
    expect(metrics.top1).toBe(hits / 7);
    expect(metrics.top5).toBe(1);
    expect(metrics.count).toBe(7);
    expect(matrix.flat().reduce((a: number, b: number) => a + b)).toBe(7);
    expect(matrix.map((row: number[]) => row.reduce((a, b) => a + b))).toEqual([2, 2, 2, 1]);
    expect(metrics.perClass.map(({ support }: { support: number }) => support)).toEqual([2, 2, 2, 1]);
    for (const figures of metrics.perClass)
      for (const value of [figures.precision, figures.recall, figures.f1]) expect(Number.isFinite(value)).toBe(true);
    expect(run.metrics).toEqual({ testAccuracy: metrics.top1, testLoss: metrics.loss, top5: 1 });
  });

  test("prints the headline and a row per class, shows how far it is, and leaves no tensor", () => {
    expect(run.lines[0]).toMatch(/^Test accuracy: \d+\.\d\d% \| Top 5: 100\.00% \| Loss: \d+\.\d{4} \| 7 images$/);
    expect(run.lines).toHaveLength(6);
    expect(run.lines[2]).toMatch(/^red +\d\.\d{4} +\d\.\d{4} +\d\.\d{4} +2$/);
    expect(run.progress.map(({ done }) => done)).toEqual([3, 6, 7]);
    expect(run.liveTensors).toBe(0);
  });

  test("gives the same bytes again", async () => {
    const again = await workbench.run(evaluate, { batchSize: 3 }, { model, test: images });
    for (const name of ["metrics", "predictions", "confusion"])
      expect(again.outputs[name]!.digest).toBe(run.outputs[name]!.digest);
  });

  test("a model whose outputs are not finite fails, and says so", async () => {
    const broken = workbench.artifact("model", (folder) => {
      writeFileSync(join(folder, "architecture.json"), readFileSync(model.path("architecture.json")));
      const state = readStateFile(openSafetensors(model.path("model.safetensors")));
      (state["fc.bias"]!.data as Float32Array).fill(Number.NaN);
      writeSafetensors(join(folder, "model.safetensors"), state);
    });
    await expect(workbench.run(evaluate, {}, { model: broken, test: images })).rejects.toMatchObject({
      name: "StageFailure",
      message: "the model's loss on the test images is NaN: its outputs are not finite",
    });
  });

  test("images of other classes or channels than the model's are refused, before and during a run", async () => {
    expect(
      workbench.check(evaluate, {}, { model: { classes: 10, channels: 3 }, test: { classes: 4, channels: 1 } }),
    ).toEqual([
      { path: "inputs.test", message: "the model tells 10 classes apart, and the images of `test` have 4" },
      { path: "inputs.test", message: "the model takes images of 3 channels, and those of `test` have 1 channel" },
    ]);
    const others = learnableImages(workbench, "others", { count: 3 });
    await expect(workbench.run(evaluate, {}, { model, test: others })).rejects.toMatchObject({
      name: "StageFailure",
      message: "the model tells 4 classes apart, and the images of `test` have 3",
    });
  });

  test("images of which a VGG leaves nothing are refused before a run", () => {
    const model = { spec: { architecture: "vgg16", numClasses: 4 } };
    expect(workbench.check(evaluate, {}, { model, test: { height: 31, width: 31 } })).toEqual([
      {
        path: "inputs.test",
        message: "vgg16 leaves nothing of images below 32 x 32 pixels, and those of `test` are 31 x 31",
      },
    ]);
  });

  test("what is known of the images is known of the predictions", () => {
    const facts = { classes: 4, classNames, count: 7, height: 8 };
    expect(evaluate.describe!({ params: { batchSize: 1 }, inputs: { test: facts, model: {} } })).toEqual({
      metrics: {},
      predictions: { classes: 4, classNames },
      confusion: { classes: 4, classNames },
    });
  });

  test("the model says how many classes there are where the images do not yet", () => {
    const inputs = { test: { height: 8 }, model: { classes: 4, channels: 3 } };
    expect(evaluate.describe!({ params: { batchSize: 1 }, inputs })).toEqual({
      metrics: {},
      predictions: { classes: 4 },
      confusion: { classes: 4 },
    });
  });
});
