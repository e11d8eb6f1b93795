/**
 * What is told of a train stage without executing it: how long it takes, what it would go on from, and which stretches it
 * consists of. It stands beside the stage and not in it, so that it is no part of the code that makes a training's bits:
 * an edit here moves no key.
 */
import type { CheckContext, Foresight, ForesightContext, StageDefinition, Stretch } from "../src/contract.ts";
import type { ArchitectureSpec } from "../src/ml/models/architecture.ts";
import type { ForeseenTraining } from "../src/ml/train/foresee-training.ts";
import type { TrainParams } from "./generated/train-params.ts";

export const trainOutlook: Pick<StageDefinition<TrainParams>, "estimate" | "foresee" | "stretches"> = {
  estimate: estimateTraining,
  foresee,
  stretches,
};

/** A step takes three forward passes' operations, an accuracy pass one; a multiplication and an addition are two. */
async function estimateTraining({ params, inputs }: CheckContext<TrainParams>): Promise<number | undefined> {
  const { spec } = inputs.model ?? {};
  const { count, height, width } = inputs.train ?? {};
  if (typeof spec !== "object" || typeof count !== "number" || typeof height !== "number" || typeof width !== "number")
    return undefined;
  const { describeModel } = await import("../src/ml/models/describe-model.ts");
  const { layerTable } = await import("../src/ml/nn/layer-table.ts");
  // The spec is what build-model's own describe gave.
  const rows = layerTable(describeModel(spec as unknown as ArchitectureSpec), height, width);
  const perImage = 2 * rows.reduce((sum, { macs }) => sum + macs, 0);
  const validCount = typeof inputs.valid?.count === "number" ? inputs.valid.count : 0;
  const passes = 3 * count + (params.trainAccuracy === "eval" ? count : 0) + validCount;
  return params.epochs * passes * perImage;
}

async function foresee(context: ForesightContext<TrainParams>): Promise<Foresight | undefined> {
  const { foreseeTraining } = await import("../src/ml/train/foresee-training.ts");
  const foreseen = await foreseenTraining(context);
  return foreseen && foreseeTraining(foreseen);
}

async function stretches(context: ForesightContext<TrainParams>): Promise<readonly Stretch[]> {
  const { trainingStretches } = await import("../src/ml/train/training-stretches.ts");
  const foreseen = await foreseenTraining(context);
  return foreseen === undefined ? [] : trainingStretches(foreseen);
}

/** Undefined where the run itself will say what is wrong. */
async function foreseenTraining({
  params,
  inputs,
  checkpoints,
}: ForesightContext<TrainParams>): Promise<ForeseenTraining | undefined> {
  const { countImages } = await import("../src/ml/data/count-images.ts");
  const { oneCycleProblem } = await import("../src/ml/schedule/one-cycle.ts");
  const { stepsPerEpoch } = await import("../src/ml/optim/optimizer-step.ts");
  const count = countImages(inputs.train!);
  if (count === undefined) return undefined;
  const { batchSize, dropLast, epochs, schedule, accumulateSteps } = params;
  const batchesPerEpoch = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  if (batchesPerEpoch === 0) return undefined;
  const steps = epochs * stepsPerEpoch(batchesPerEpoch, accumulateSteps);
  if (schedule.type === "oneCycle" && oneCycleProblem(schedule, steps) !== undefined) return undefined;
  return { settings: params, batchesPerEpoch, checkpoints };
}
