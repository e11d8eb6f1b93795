import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import schema from "../../schemas/train.schema.json" with { type: "json" };
import type { Artifact } from "../../src/contract.ts";
import { writeSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import type { History } from "../../src/ml/train/history.ts";
import { buildModel } from "../../stages/build-model.ts";
import { evaluate } from "../../stages/evaluate.ts";
import { train } from "../../stages/train.ts";
import { bundleWorker } from "../bundle-worker.ts";
import { learnableImages, normalizedImages } from "./learnable-images.ts";
import { type StageRun, type StageWorkbench, stageWorkbench } from "./stage-workbench.ts";

const sgd = { type: "sgd", learningRate: 0.05, momentum: 0.9 };
const settings = { epochs: 2, batchSize: 8, optimizer: sgd, seed: 1, logInterval: 1, trainAccuracy: "running" };

let workbench: StageWorkbench;
let model: Artifact;
let images: Artifact;
let valid: Artifact;
beforeAll(async () => {
  workbench = stageWorkbench();
  const resnet = { block: "basic", layers: [1, 1, 1, 1], numClasses: 3, imageSize: 6, seed: 2 };
  model = (await workbench.run(buildModel, resnet, {})).outputs.model!;
  images = normalizedImages(workbench, learnableImages(workbench, "train", { count: 18 }), 6);
  valid = normalizedImages(workbench, learnableImages(workbench, "valid", { count: 6 }), 6);
});
afterAll(() => workbench.remove());

const historyOf = ({ outputs }: StageRun): History =>
  JSON.parse(readFileSync(outputs.history!.path("history.json"), "utf8"));
const stepsOf = ({ progress }: StageRun) => progress.filter(({ phase }) => !phase.includes("evaluating")).length;
const digests = ({ outputs }: StageRun) => Object.values(outputs).map(({ digest }) => digest);

describe("train", () => {
  let straight: StageRun;
  beforeAll(async () => {
    straight = await workbench.run(train, settings, { model, train: images, valid });
  });

  test("leaves a model with its architecture, and a history without a clock", () => {
    const { outputs } = straight;
    expect(outputs.model!.files.map(({ path }) => path)).toEqual(["architecture.json", "model.safetensors"]);
    expect(readFileSync(outputs.model!.path("architecture.json"))).toEqual(
      readFileSync(model.path("architecture.json")),
    );
    const history = historyOf(straight);
    expect(Object.keys(history).sort()).toEqual(["batchSize", "bestEpoch", "epochs", "iterationsPerEpoch", "loss"]);
    expect(history).toMatchObject({ batchSize: 8, iterationsPerEpoch: 2 });
    expect(history.loss).toHaveLength(4);
    expect(Object.keys(history.epochs[0]!).sort()).toEqual(
      ["epoch", "improved", "learningRate", "trainAccuracy", "trainLoss", "validAccuracy", "validLoss"].sort(),
    );
  });

  test("says what it reached and how fast, and leaves no tensor", () => {
    expect(Object.keys(straight.metrics).sort()).toEqual(
      ["bestEpoch", "epochs", "trainAccuracy", "trainLoss", "validAccuracy", "validLoss"].sort(),
    );
    expect(Object.keys(straight.measurements).sort()).toEqual(
      [
        "checkpointShare",
        "elapsedSeconds",
        "epochsTrained",
        "imagesPerSecond",
        "secondsPerEpoch",
        "waitingShare",
      ].sort(),
    );
    expect(straight.progress.map(({ phase, done }) => `${phase}: ${done}`)).toEqual([
      "epoch 1/2: 1",
      "epoch 1/2: 2",
      "epoch 1/2, evaluating valid images: 100%: 2",
      "epoch 2/2: 3",
      "epoch 2/2: 4",
      "epoch 2/2, evaluating valid images: 100%: 4",
    ]);
    expect(straight.progress[3]).toMatchObject({ total: 4, unit: "steps" });
    expect(Object.keys(straight.progress[3]!.figures!)).toEqual(
      expect.arrayContaining(["epoch", "loss", "accuracy", "imagesPerSecond", "etaSeconds"]),
    );
    expect(straight.lines[0]).toMatch(/^Epoch: 001\/002 \| Batch 0001\/0002 \| Loss: /);
    expect(straight.liveTensors).toBe(0);
  });

  test("stopped in the middle of an epoch, it goes on to the same bytes", async () => {
    const fresh = stageWorkbench();
    const inputs = { model, train: images, valid };
    try {
      await expect(fresh.run(train, settings, inputs, { stopAfter: 4 })).rejects.toThrow("stopped by the test");
      const resumed = await fresh.run(train, settings, inputs);
      expect(stepsOf(resumed)).toBe(1);
      expect(resumed.lines[0]).toBe("Resumed in epoch 2, after batch 1");
      expect(digests(resumed)).toEqual(digests(straight));
    } finally {
      fresh.remove();
    }
  });

  test("one more epoch trains one; another learning rate trains all; another log interval none", async () => {
    const steps = async (given: object) =>
      stepsOf(await workbench.run(train, { ...settings, ...given }, { model, train: images, valid }));
    expect(await steps({ epochs: 3 })).toBe(2);
    expect(await steps({ logInterval: 50 })).toBe(0);
    expect(await steps({ epochs: 1, optimizer: { ...sgd, learningRate: 0.01 } })).toBe(2);
  });

  test("worker threads change no bit", async () => {
    const worker = await bundleWorker("src/ml/data/loader-worker.ts");
    const fresh = stageWorkbench();
    try {
      const threaded = await fresh.run(
        train,
        settings,
        { model, train: images, valid },
        { threads: 2, loader: worker.path },
      );
      expect(digests(threaded)).toEqual(digests(straight));
    } finally {
      fresh.remove();
      worker.remove();
    }
  });

  test("what could not be known before a run is refused in it, in the same words", async () => {
    const refused = (given: object, inputs: Record<string, Artifact>) => workbench.run(train, given, inputs);
    await expect(refused({ ...settings, batchSize: 19 }, { model, train: images })).rejects.toMatchObject({
      name: "StageFailure",
      message: "18 training images do not fill one batch of 19, and smaller batches are dropped",
    });
    const others = learnableImages(workbench, "others", { count: 18, classNames: ["cat", "dog"] });
    await expect(refused(settings, { model, train: images, valid: others })).rejects.toMatchObject({
      name: "StageFailure",
      message: "the model tells 3 classes apart, and the images of `valid` have 2",
    });
  });

  test("images that are no dataset fail it without a stack", async () => {
    const nothing = workbench.artifact("dataset", (folder) => writeFileSync(join(folder, "notes.txt"), ""));
    await expect(workbench.run(train, settings, { model, train: nothing })).rejects.toMatchObject({
      name: "StageFailure",
      message: "no dataset: it holds notes.txt",
    });
    await expect(workbench.run(evaluate, {}, { model, test: nothing })).rejects.toMatchObject({
      name: "StageFailure",
    });
  });

  test("a diverging training fails with the step and a hint, without a stack", async () => {
    const optimizer = { type: "sgd", learningRate: 1e30 };
    await expect(
      workbench.run(train, { ...settings, optimizer }, { model, train: images, valid }),
    ).rejects.toMatchObject({
      name: "StageFailure",
      message: expect.stringMatching(/^the loss is .* at epoch 1, step 2 of 2, learning rate 1e\+30: the first layer/),
      help: expect.stringContaining("lower optimizer.learningRate"),
    });
  });
});

test("a small ResNet learns images that can be told apart, and evaluate measures that it does", async () => {
  const given = {
    ...settings,
    epochs: 4,
    batchSize: 6,
    optimizer: { type: "sgd", learningRate: 0.02, momentum: 0.9 },
    schedule: { type: "cosine" },
  };
  const trained = await workbench.run(train, given, { model, train: images, valid });
  expect(historyOf(trained).loss.at(-1)).toBeLessThan(0.05);
  expect(trained.metrics.validAccuracy).toBe(1);
  const test = learnableImages(workbench, "test", { count: 10, classNames: ["red", "green", "blue"] });
  const measured = await workbench.run(
    evaluate,
    { batchSize: 4 },
    { model: trained.outputs.model!, test: normalizedImages(workbench, test, 6) },
  );
  expect(measured.metrics).toMatchObject({ testAccuracy: 1, top5: 1 });
  expect(measured.metrics.testLoss).toBeLessThan(0.2);
});

describe("train is refused", () => {
  const facts = { model: { classes: 10, channels: 3 }, train: { classes: 10, channels: 3, count: 100 } };
  const base = { epochs: 1, batchSize: 8, optimizer: sgd, seed: 1 };

  test("nothing is wrong with a plain one", () => {
    expect(workbench.check(train, base, facts)).toEqual([]);
    expect(workbench.check(train, base, { model: {}, train: {} })).toEqual([]);
  });

  test("where the model's classes or channels are not the images'", () => {
    expect(workbench.check(train, base, { ...facts, train: { classes: 100, channels: 1 } })).toEqual([
      { path: "inputs.train", message: "the model tells 10 classes apart, and the images of `train` have 100" },
      { path: "inputs.train", message: "the model takes images of 3 channels, and those of `train` have 1 channel" },
    ]);
    expect(workbench.check(train, base, { ...facts, valid: { classes: 5 } })).toEqual([
      { path: "inputs.valid", message: "the model tells 10 classes apart, and the images of `valid` have 5" },
    ]);
  });

  test("where a VGG would leave nothing of the images, before and during a run", async () => {
    const vgg = { ...facts.model, spec: { architecture: "vgg11", numClasses: 10 } };
    const size = { height: 40, width: 31 };
    const message = "vgg11 leaves nothing of images below 32 x 32 pixels, and those of `train` are 40 x 31";
    expect(workbench.check(train, base, { ...facts, model: vgg, train: { ...facts.train, ...size } })).toEqual([
      { path: "inputs.train", message },
    ]);
    expect(workbench.check(train, base, { ...facts, model: vgg, train: { ...size, width: 32 } })).toEqual([]);
    const resnet = { ...facts.model, spec: { architecture: "resnet18", numClasses: 10 } };
    expect(workbench.check(train, base, { ...facts, model: resnet, train: { height: 1, width: 1 } })).toEqual([]);

    // Only the spec is looked at before the refusal.
    const built = workbench.artifact("model", (folder) => {
      writeFileSync(join(folder, "architecture.json"), '{"architecture":"vgg11","numClasses":3}\n');
      writeSafetensors(join(folder, "model.safetensors"), {});
    });
    await expect(workbench.run(train, settings, { model: built, train: images })).rejects.toMatchObject({
      name: "StageFailure",
      message: "vgg11 leaves nothing of images below 32 x 32 pixels, and those of `train` are 6 x 6",
      help: expect.stringContaining("32 pixels or more"),
    });
  });

  test("where something needs validation images and there are none", () => {
    const given = {
      ...base,
      schedule: { type: "plateau" },
      select: "best",
      earlyStop: { metric: "validLoss", patience: 3 },
    };
    expect(workbench.check(train, given, facts).map(({ path }) => path)).toEqual([
      "with.select",
      "with.schedule.metric",
      "with.earlyStop.metric",
    ]);
    expect(workbench.check(train, given, { ...facts, valid: {} })).toEqual([]);
    const onLoss = { ...base, schedule: { type: "plateau", metric: "minibatchLoss" } };
    expect(workbench.check(train, onLoss, facts)).toEqual([]);
  });

  test("where a schedule cannot be, or a warm-up has no length or two", () => {
    const problemsOf = (schedule: object, given: object = {}) =>
      workbench.check(train, { ...base, ...given, schedule }, facts).map(({ path, message }) => `${path}: ${message}`);
    const plain = { type: "sgd", learningRate: 0.1 };
    expect(problemsOf({ type: "oneCycle" })).toEqual([]);
    expect(problemsOf({ type: "oneCycle" }, { optimizer: { type: "adamw" } })).toEqual([]);
    expect(problemsOf({ type: "oneCycle", cycleMomentum: false }, { optimizer: plain })).toEqual([]);
    expect(problemsOf({ type: "oneCycle" }, { optimizer: plain })).toEqual([
      expect.stringMatching(/^with\.schedule\.cycleMomentum: /),
    ]);
    expect(problemsOf({ type: "oneCycle", baseMomentum: 0.96 })).toEqual([
      "with.schedule.baseMomentum: baseMomentum 0.96 is above maxMomentum 0.95",
    ]);
    expect(problemsOf({ type: "oneCycle", pctStart: 0.25 }, { batchSize: 25 })).toEqual([
      "with.schedule: oneCycle rises over pctStart = 0.25 of 4 steps, which is one step, and a rise takes two",
    ]);
    const warm = (warmup: object) => problemsOf({ type: "cosine", warmup });
    expect(warm({ epochs: 2 })).toEqual([]);
    expect(warm({ steps: 50 })).toEqual([]);
    expect(warm({ epochs: 0.5, per: "step" })).toEqual([]);
    expect(warm({})).toEqual(["with.schedule.warmup: the warm-up has no length"]);
    expect(warm({ epochs: 1, steps: 5 })).toEqual(["with.schedule.warmup: the warm-up has two lengths"]);
    expect(warm({ epochs: 0.5 })).toEqual([
      "with.schedule.warmup.epochs: a warm-up that rises once an epoch takes whole epochs, not 0.5",
    ]);
    expect(warm({ steps: 5, per: "epoch" })).toEqual([
      "with.schedule.warmup.per: a warm-up whose length is given in steps rises once a step",
    ]);
  });

  test("where accuracy is counted on images that mixup has blended", () => {
    const given = { ...base, mixup: { alpha: 0.2 } };
    expect(workbench.check(train, given, facts)).toEqual([]);
    expect(workbench.check(train, { ...given, trainAccuracy: "running" }, facts).map(({ path }) => path)).toEqual([
      "with.trainAccuracy",
    ]);
  });

  test("where a plateau should move once a step: there is no such setting", () => {
    const { additionalProperties, properties } = schema.definitions.plateau;
    expect(additionalProperties).toBe(false);
    expect(properties).not.toHaveProperty("per");
  });

  test("where nesterov has no momentum, or a batch more images than there are", () => {
    expect(
      workbench.check(train, { ...base, optimizer: { type: "sgd", learningRate: 1, nesterov: true } }, facts),
    ).toEqual([{ path: "with.optimizer.nesterov", message: expect.stringContaining("momentum is 0") }]);
    const damped = { type: "sgd", learningRate: 1, momentum: 0.9, dampening: 0.1, nesterov: true };
    expect(workbench.check(train, { ...base, optimizer: damped }, facts)).toEqual([
      { path: "with.optimizer.nesterov", message: expect.stringContaining("`dampening` leaves a share of it out") },
    ]);
    expect(workbench.check(train, { ...base, batchSize: 101 }, facts)).toEqual([
      {
        path: "with.batchSize",
        message: "100 training images do not fill one batch of 101, and smaller batches are dropped",
      },
    ]);
    expect(workbench.check(train, { ...base, batchSize: 101, dropLast: false }, facts)).toEqual([]);
  });
});

test("what is left out stays out of the key: no schedule says `per`, no label is smoothed", () => {
  const schedule = { type: "cosine" };
  const filled = workbench.params(train, { epochs: 1, batchSize: 1, optimizer: sgd, schedule, seed: 0 });
  expect(filled.schedule).toEqual({ type: "cosine", minLr: 0 });
  for (const added of ["labelSmoothing", "mixup"]) expect(filled).not.toHaveProperty(added);
});

test("defaults are filled inside the chosen optimiser and schedule, and inside an average", () => {
  const optimizer = { type: "adamw" };
  const filled = workbench.params(train, {
    epochs: 1,
    batchSize: 1,
    optimizer,
    schedule: { type: "plateau" },
    weightAverage: {},
    seed: 0,
  });
  expect(filled.weightAverage).toEqual({ decay: 0.999, start: 0, useBuffers: false });
  expect(filled.accumulateSteps).toBe(1);
  expect(filled.optimizer).toEqual({
    type: "adamw",
    learningRate: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    weightDecayOn: "all",
  });
  expect(filled.schedule).toEqual({
    type: "plateau",
    metric: "validAccuracy",
    mode: "auto",
    factor: 0.1,
    patience: 10,
    threshold: 0.0001,
    thresholdMode: "rel",
    cooldown: 0,
    minLr: 0,
  });
});
