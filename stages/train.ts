/**
 * train: a model, trained on images, and the history of how it went. What happens is in `ml/train`; here it meets the
 * artifacts, the checkpoints and the events.
 */
import {
  asStageFailure,
  type CheckContext,
  defineStage,
  type Progress,
  StageFailure,
  type StageProblem,
} from "../src/contract.ts";
import type { Engine } from "../src/ml/engine/engine.ts";
import { stepsPerEpoch } from "../src/ml/optim/optimizer-step.ts";
import { oneCycleProblem } from "../src/ml/schedule/one-cycle.ts";
import type { EpochRecord, History } from "../src/ml/train/history.ts";
import { modelFitProblems } from "../src/ml/train/model-fit.ts";
import type { StepFigures } from "../src/ml/train/training.ts";
import type { TrainingSpeed } from "../src/ml/train/training-speed.ts";
import type { TrainParams } from "./generated/train-params.ts";

/** Threads that read and transform images ahead of the steps, for each dataset. */
const LOADER_THREADS = 4;

export const train = defineStage<TrainParams, Engine>({
  type: "train",
  description:
    "Trains a model with SGD, Adam(W), RMSprop or LARS under a learning-rate schedule, and leaves a checkpoint an epoch.",
  inputs: {
    model: { kind: "model", description: "The model to start from." },
    train: { kind: "dataset", description: "The images to train on." },
    valid: { kind: "dataset", optional: true, description: "Images to measure on after each epoch." },
  },
  outputs: {
    model: { kind: "model", primary: true, description: "The trained model, of the best or the last epoch." },
    history: {
      kind: "history",
      description: "Losses of all minibatches, and rates, losses and accuracies of all epochs.",
    },
  },
  computes: true,
  assets: { loader: "../src/ml/data/loader-worker.ts" },
  check: checkTrain,
  describe: ({ inputs }) => ({ model: inputs.model ?? {}, history: {} }),

  async run(ctx) {
    const { readModelFiles, writeModelFiles } = await import("../src/ml/checkpoint/model-files.ts");
    const { createNetwork } = await import("../src/ml/nn/create-network.ts");
    const { openDataset } = await import("../src/ml/data/dataset.ts");
    const { createImageSource } = await import("../src/ml/train/image-source.ts");
    const { parseKeep } = await import("../src/ml/train/keep-checkpoints.ts");
    const { trainModel } = await import("../src/ml/train/train-model.ts");
    const { waitingAdvice } = await import("../src/ml/train/training-speed.ts");
    const { planMemory } = await import("../src/ml/train/training-memory.ts");
    const { writeHistory } = await import("../src/ml/checkpoint/history-file.ts");

    const { params, inputs, engine } = ctx;
    const { batchSize, seed, dropLast } = params;
    const model = readModelFiles((file) => inputs.model!.path(file));
    const pixelFiles = new Map();
    const sources: ReturnType<typeof createImageSource>[] = [];
    let imageSize: readonly [height: number, width: number] = [0, 0];
    const open = (port: "train" | "valid", purpose: string, options: { dropLast: boolean; shuffle: boolean }) => {
      const dataset = openDataset(inputs[port]!, pixelFiles);
      const { numClasses, imageChannels } = model.description;
      const [height, width] = dataset.transformedSize;
      const facts = { classes: dataset.classNames.length, channels: dataset.channels, height, width };
      const known = { classes: numClasses, channels: imageChannels, spec: model.spec };
      const [mismatch] = modelFitProblems(port, known, facts);
      const problem = options.dropLast && dataset.length < batchSize ? noBatch(dataset.length, batchSize) : mismatch;
      if (problem !== undefined) throw new StageFailure(problem.message, problem.help);
      const threads = ctx.threads(LOADER_THREADS);
      const source = createImageSource({
        dataset,
        batchSize,
        seed,
        purpose,
        threads,
        workerModule: ctx.asset("loader"),
        ...options,
      });
      sources.push(source);
      if (port === "train") imageSize = dataset.transformedSize;
      return source;
    };
    const network = createNetwork(engine, model.description);
    let lastStep: Progress | undefined;
    try {
      // First, since it may refuse the images.
      const trainSource = open("train", "train", { dropLast, shuffle: true });
      const refused = stepProblem(params, trainSource.loader.batchesPerEpoch);
      if (refused !== undefined) throw new StageFailure(refused.message, refused.help);
      network.loadStateDict(model.state);
      const inOrder = { dropLast: false, shuffle: false };
      const trained = await trainModel({
        engine,
        network,
        settings: { ...params, keep: parseKeep(params.keep) },
        train: trainSource,
        ...(params.trainAccuracy === "eval" && { trainEvaluation: open("train", "trainAccuracy", inOrder) }),
        ...(inputs.valid !== undefined && { valid: open("valid", "valid", inOrder) }),
        checkpoints: ctx.checkpoints,
        // A GPU's own memory is nobody's to know beforehand.
        ...(engine.name !== "webgpu" && { memory: planMemory(model.description, imageSize, params, engine.precision) }),
        signal: ctx.signal,
        now: () => performance.now(),
        onStep(figures) {
          lastStep = progressOf(figures);
          ctx.progress(lastStep);
        },
        onEvaluation({ images, done, count }) {
          if (lastStep === undefined) return;
          const phase = `${lastStep.phase}, evaluating ${images} images: ${Math.floor((100 * done) / count)}%`;
          ctx.progress({ ...lastStep, phase });
        },
        log: ctx.log,
        warn: ctx.warn,
      });
      writeModelFiles(ctx.outputs.model!.folder, { ...model, state: trained.state });
      writeHistory(ctx.outputs.history!.folder, trained.history);
      for (const [name, value] of metricsOf(trained.history, params.select)) ctx.metric(name, value);
      for (const [name, value] of measurementsOf(trained.speed)) ctx.measure(name, value);
      const advice = waitingAdvice(trained.speed);
      if (advice !== undefined) ctx.warn(advice);
    } catch (error) {
      throw asStageFailure(error, ["DataError", "TrainingDiverged", "TrainingOutOfMemory"]);
    } finally {
      network.close();
      for (const { loader } of sources) await loader.close();
      for (const pixels of pixelFiles.values()) pixels.close();
    }
  },
});

function checkTrain({ params, inputs }: CheckContext<TrainParams>): readonly StageProblem[] {
  const { optimizer, schedule, select, earlyStop, dropLast, batchSize } = params;
  const problems: StageProblem[] = [];
  for (const port of ["train", "valid"] as const)
    for (const problem of modelFitProblems(port, inputs.model ?? {}, inputs[port] ?? {}))
      problems.push({ path: ["inputs", port], ...problem });
  if (inputs.valid === undefined) {
    const needsValid = (path: readonly string[], what: string) =>
      problems.push({
        path: ["with", ...path],
        message: `${what} needs validation images, and no input \`valid\` is connected`,
        help: "connect `valid: split.valid`, or choose another setting",
      });
    if (select === "best") needsValid(["select"], "`select: best`");
    if (schedule.type === "plateau" && schedule.metric.startsWith("valid"))
      needsValid(["schedule", "metric"], `the metric ${schedule.metric}`);
    if (earlyStop?.metric.startsWith("valid")) needsValid(["earlyStop", "metric"], `the metric ${earlyStop.metric}`);
  }
  if (optimizer.type === "sgd" && optimizer.nesterov && optimizer.momentum === 0)
    problems.push({
      path: ["with", "optimizer", "nesterov"],
      message: "`nesterov: true` looks ahead along a momentum, and momentum is 0",
      help: "set `momentum: 0.9`, or remove `nesterov`",
    });
  if (optimizer.type === "sgd" && optimizer.nesterov && optimizer.dampening !== 0)
    problems.push({
      path: ["with", "optimizer", "nesterov"],
      message: "`nesterov: true` looks ahead along the whole momentum, and `dampening` leaves a share of it out",
      help: "remove `dampening`, or remove `nesterov`",
    });
  problems.push(...scheduleProblems(params));
  if (params.mixup !== undefined && params.trainAccuracy === "running")
    problems.push({
      path: ["with", "trainAccuracy"],
      message: "`trainAccuracy: running` counts predictions on the images trained on, and mixup blends each of two",
      help: "choose `eval` or `none`",
    });
  const count = inputs.train?.count;
  if (typeof count === "number" && count > 0) {
    const refused = stepProblem(params, dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize));
    if (refused !== undefined) problems.push({ path: ["with", "schedule"], ...refused });
  }
  if (typeof count === "number" && dropLast && count < batchSize)
    problems.push({ path: ["with", "batchSize"], ...noBatch(count, batchSize) });
  return problems;
}

/** What is wrong with a schedule whatever the images. */
function scheduleProblems({ schedule, optimizer }: TrainParams): StageProblem[] {
  const problems: StageProblem[] = [];
  if (schedule.type === "oneCycle") {
    if (schedule.cycleMomentum && "momentum" in optimizer && optimizer.momentum === 0)
      problems.push({
        path: ["with", "schedule", "cycleMomentum"],
        message: "`cycleMomentum` moves the optimiser's momentum, and it has none",
        help: "set `cycleMomentum: false`, or give the optimizer a momentum such as 0.9, in whose place the cycle's goes",
      });
    if (schedule.baseMomentum > schedule.maxMomentum)
      problems.push({
        path: ["with", "schedule", "baseMomentum"],
        message: `baseMomentum ${schedule.baseMomentum} is above maxMomentum ${schedule.maxMomentum}`,
        help: "the momentum is lowest, at baseMomentum, where the rate is highest",
      });
    return problems;
  }
  const { warmup } = schedule;
  if (warmup === undefined) return problems;
  const path = ["with", "schedule", "warmup"];
  if ((warmup.epochs === undefined) === (warmup.steps === undefined))
    problems.push({
      path,
      message: warmup.epochs === undefined ? "the warm-up has no length" : "the warm-up has two lengths",
      help: "give either `epochs` or `steps`",
    });
  else if (warmup.steps !== undefined && warmup.per === "epoch")
    problems.push({
      path: [...path, "per"],
      message: "a warm-up whose length is given in steps rises once a step",
      help: "give its length in `epochs`, or remove `per: epoch`",
    });
  else if (warmup.epochs !== undefined && !Number.isInteger(warmup.epochs) && warmup.per !== "step")
    problems.push({
      path: [...path, "epochs"],
      message: `a warm-up that rises once an epoch takes whole epochs, not ${warmup.epochs}`,
      help: "add `per: step`",
    });
  return problems;
}

/** What is wrong with a schedule for so many batches an epoch. */
function stepProblem(
  { schedule, epochs, accumulateSteps }: TrainParams,
  batchesPerEpoch: number,
): { readonly message: string; readonly help: string } | undefined {
  if (schedule.type !== "oneCycle") return undefined;
  const message = oneCycleProblem(schedule, epochs * stepsPerEpoch(batchesPerEpoch, accumulateSteps));
  return message === undefined ? undefined : { message, help: "train longer, or choose another pctStart" };
}

function noBatch(count: number, batchSize: number): { readonly message: string; readonly help: string } {
  return {
    message: `${count} training images do not fill one batch of ${batchSize}, and smaller batches are dropped`,
    help: `set batchSize to ${count} or less, or \`dropLast: false\``,
  };
}

function progressOf({ epoch, epochs, step, stepsPerEpoch, loss, accuracy, speed }: StepFigures): Progress {
  return {
    phase: `epoch ${epoch}/${epochs}`,
    done: (epoch - 1) * stepsPerEpoch + step,
    total: epochs * stepsPerEpoch,
    unit: "steps",
    figures: {
      epoch,
      loss,
      ...(accuracy !== undefined && { accuracy }),
      ...(speed.imagesPerSecond !== undefined && { imagesPerSecond: speed.imagesPerSecond }),
      ...(speed.etaMs !== undefined && { etaSeconds: speed.etaMs / 1000 }),
    },
  };
}

/** Of the selected epoch. */
function metricsOf({ epochs, bestEpoch }: History, select: TrainParams["select"]): [string, number][] {
  const selected = epochs[(select === "best" ? bestEpoch : epochs.length) - 1]!;
  const names: (keyof EpochRecord)[] = ["trainLoss", "trainAccuracy", "validLoss", "validAccuracy"];
  const metrics = names.flatMap((name): [string, number][] => {
    const value = selected[name];
    return typeof value === "number" ? [[name, value]] : [];
  });
  return [...metrics, ["epochs", epochs.length], ["bestEpoch", bestEpoch]];
}

/** What this execution did and reached; nothing about speed where it had nothing left to train. */
function measurementsOf({
  elapsedMs,
  imagesPerSecond,
  secondsPerEpoch,
  waitingShare,
  checkpointShare,
  epochs,
}: TrainingSpeed): [string, number][] {
  const named = {
    elapsedSeconds: elapsedMs / 1000,
    epochsTrained: epochs,
    imagesPerSecond,
    secondsPerEpoch,
    waitingShare,
    checkpointShare,
  };
  return Object.entries(named).filter((entry): entry is [string, number] => entry[1] !== undefined);
}
