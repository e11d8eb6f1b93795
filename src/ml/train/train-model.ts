/**
 * Training: from the last checkpoint that there is, over epochs, to the model of the best or the last one.
 *
 *   find the resume point -> per epoch: steps -> accuracies -> record -> schedule -> checkpoint -> stop early?
 */
import { CheckpointRefused, readCheckpointModel, readCheckpointTensors } from "../checkpoint/training-checkpoint.ts";
import { createGradientSink } from "../optim/gradient-sink.ts";
import { createOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { stepsPerEpoch } from "../optim/optimizer-step.ts";
import { createWeightAverage, type WeightAverage } from "../optim/weight-average.ts";
import { type EpochChain, epochChain } from "./epoch-chain.ts";
import { bestEpoch, earlyStopEpoch, type History } from "./history.ts";
import { refuseWhatCannotFit, tightMemoryLine } from "./out-of-memory.ts";
import { findResumePoint } from "./resume-point.ts";
import type { StateDict, TrainedModel, Training } from "./training.ts";
import { TrainingSession } from "./training-session.ts";
import { initialTrainingState, type TrainingState } from "./training-state.ts";

/**
 * Trains. Throws `TrainingDiverged` where a loss or a weight is not finite, `TrainingOutOfMemory` where memory does not do,
 * and `signal.reason` where it was stopped.
 */
export async function trainModel(training: Training): Promise<TrainedModel> {
  const { engine, network, settings, train } = training;
  const { epochs, select, earlyStop } = settings;
  if (settings.trainAccuracy === "eval" && training.trainEvaluation === undefined)
    throw new Error("trainAccuracy: eval needs trainEvaluation");
  if (settings.trainAccuracy === "running" && settings.mixup !== undefined)
    throw new Error("trainAccuracy: running has no meaning where every image is a blend of two");
  const length = { epochs, stepsPerEpoch: stepsPerEpoch(train.loader.batchesPerEpoch, settings.accumulateSteps) };
  const chain = epochChain(settings.schedule, settings.optimizer.learningRate, length);
  const optimizer = createOptimizer(engine, network.parameters, settings.optimizer);
  const gradients = createGradientSink(engine, optimizer, settings);
  const { weightAverage } = settings;
  const average =
    weightAverage && createWeightAverage(engine, network, weightAverage, weightAverage.start * length.stepsPerEpoch);
  try {
    const resumed = await resume(training, chain, { optimizer, average, stepsPerEpoch: length.stepsPerEpoch });
    const state = resumed?.state ?? initialTrainingState(chain.initialPlateau);
    if (resumed !== undefined) training.log?.(resumeLine(state));
    if (state.epoch <= epochs && training.memory !== undefined) {
      const images = Math.min(settings.batchSize, train.loader.imagesPerEpoch);
      refuseWhatCannotFit(training.memory, images);
      const tight = tightMemoryLine(training.memory, images);
      if (tight !== undefined) training.log?.(tight);
    }
    const session = new TrainingSession(training, chain, { optimizer, gradients, average }, state);
    const stopEpoch = () => earlyStopEpoch(earlyStop, session.records());
    let best = resumed?.best;
    while (state.epoch <= epochs && stopEpoch() === undefined) {
      const { record, model } = await session.trainEpoch();
      if (record.improved && select === "best") best = model;
    }
    await session.markEnd();
    return {
      state: select === "best" && best !== undefined ? best : await session.resultModel(),
      history: finishedHistory(training, state, stopEpoch()),
      speed: session.stopwatch.speed(),
    };
  } finally {
    average?.close();
    gradients.close();
    optimizer.close();
  }
}

interface Resumable {
  readonly optimizer: Optimizer;
  readonly average: WeightAverage | undefined;
  readonly stepsPerEpoch: number;
}

/** Puts network, optimiser and average where the last usable checkpoint of the chain is; undefined, and nothing is changed, where there is none. */
async function resume(
  { network, settings, train, checkpoints, warn }: Training,
  chain: EpochChain,
  { optimizer, average, stepsPerEpoch }: Resumable,
): Promise<{ readonly state: TrainingState; readonly best: StateDict | undefined } | undefined> {
  const averaged = average !== undefined;
  const found = await findResumePoint({
    chain,
    checkpoints,
    epochs: settings.epochs,
    iterationsPerEpoch: train.loader.batchesPerEpoch,
    earlyStop: settings.earlyStop,
    wantBest: settings.select === "best",
    accept(folder, bestFolder) {
      const tensors = readCheckpointTensors(folder, averaged);
      const best = bestFolder && readCheckpointModel(bestFolder, averaged);
      asRefusal(() => {
        optimizer.checkStateDict(tensors.optimizer);
        for (const model of [tensors.model, tensors.average, best])
          if (model !== undefined) network.checkStateDict(model);
      });
      return { tensors, best };
    },
    onRefused: warn,
  });
  if (found === undefined) return undefined;
  const { state, accepted } = found;
  const { tensors, best } = accepted;
  if (average !== undefined) {
    network.loadStateDict(tensors.average!);
    await average.restore(stepsDone(state, stepsPerEpoch, settings.accumulateSteps));
  }
  network.loadStateDict(tensors.model);
  optimizer.loadStateDict(tensors.optimizer);
  return { state, best };
}

/** What can be read and is another model's, or another optimiser's. */
function asRefusal(check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new CheckpointRefused((error as Error).message);
  }
}

function finishedHistory({ settings, train }: Training, state: TrainingState, stopEpoch: number | undefined): History {
  const { batchSize, epochs, earlyStop } = settings;
  const early = earlyStop !== undefined && stopEpoch !== undefined && stopEpoch < epochs;
  return {
    batchSize,
    iterationsPerEpoch: train.loader.batchesPerEpoch,
    loss: state.loss,
    epochs: state.epochs,
    bestEpoch: bestEpoch(state.epochs),
    ...(early && {
      stopped: `${earlyStop.metric} did not improve for ${earlyStop.patience} ${earlyStop.patience === 1 ? "epoch" : "epochs"}`,
    }),
  };
}

/** Optimiser steps, over all epochs. Checkpoints are at whole ones. */
function stepsDone({ epoch, nextBatch }: TrainingState, perEpoch: number, accumulateSteps = 1): number {
  return (epoch - 1) * perEpoch + Math.ceil(nextBatch / accumulateSteps);
}

function resumeLine({ epoch, nextBatch }: TrainingState): string {
  return nextBatch === 0 ? `Resumed after epoch ${epoch - 1}` : `Resumed in epoch ${epoch}, after batch ${nextBatch}`;
}
