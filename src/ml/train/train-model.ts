/**
 * Training: from the last checkpoint that there is, over epochs, to the model of the best or the last one.
 *
 *   find the resume point -> per epoch: steps -> accuracies -> record -> schedule -> checkpoint -> stop early?
 */
import {
  readCheckpointAverage,
  readCheckpointModel,
  readCheckpointOptimizer,
  type StoredFolder,
} from "../checkpoint/training-checkpoint.ts";
import { createGradientSink } from "../optim/gradient-sink.ts";
import { createOptimizer } from "../optim/optimizer.ts";
import { stepsPerEpoch } from "../optim/optimizer-step.ts";
import { createWeightAverage } from "../optim/weight-average.ts";
import { epochChain } from "./epoch-chain.ts";
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
  const { engine, network, settings, train, checkpoints } = training;
  const { epochs, select, earlyStop } = settings;
  if (settings.trainAccuracy === "eval" && training.trainEvaluation === undefined)
    throw new Error("trainAccuracy: eval needs trainEvaluation");
  if (settings.trainAccuracy === "running" && settings.mixup !== undefined)
    throw new Error("trainAccuracy: running has no meaning where every image is a blend of two");
  const length = { epochs, stepsPerEpoch: stepsPerEpoch(train.loader.batchesPerEpoch, settings.accumulateSteps) };
  const chain = epochChain(settings.schedule, settings.optimizer.learningRate, length);
  const found = await findResumePoint({
    chain,
    checkpoints,
    epochs,
    iterationsPerEpoch: train.loader.batchesPerEpoch,
    earlyStop,
    wantBest: select === "best",
  });
  const state = found?.state ?? initialTrainingState(chain.initialPlateau);
  if (state.epoch <= epochs && training.memory !== undefined) {
    const images = Math.min(settings.batchSize, train.loader.imagesPerEpoch);
    refuseWhatCannotFit(training.memory, images);
    const tight = tightMemoryLine(training.memory, images);
    if (tight !== undefined) training.log?.(tight);
  }
  const optimizer = createOptimizer(engine, network.parameters, settings.optimizer);
  const gradients = createGradientSink(engine, optimizer, settings);
  const { weightAverage } = settings;
  const average =
    weightAverage && createWeightAverage(engine, network, weightAverage, weightAverage.start * length.stepsPerEpoch);
  try {
    if (found !== undefined) {
      if (average !== undefined) {
        network.loadStateDict(readCheckpointAverage(found.folder));
        await average.restore(stepsDone(state, length.stepsPerEpoch, settings.accumulateSteps));
      }
      network.loadStateDict(readCheckpointModel(found.folder));
      optimizer.loadStateDict(readCheckpointOptimizer(found.folder));
      training.log?.(resumeLine(state));
    }
    const session = new TrainingSession(training, chain, { optimizer, gradients, average }, state);
    const stopEpoch = () => earlyStopEpoch(earlyStop, session.records());
    let best: StoredFolder | StateDict | undefined = found?.best;
    while (state.epoch <= epochs && stopEpoch() === undefined) {
      const { record, model } = await session.trainEpoch();
      if (record.improved && select === "best") best = model;
    }
    return {
      state:
        select === "best" && best !== undefined
          ? stateOf(best, average === undefined ? readCheckpointModel : readCheckpointAverage)
          : await session.resultModel(),
      history: finishedHistory(training, state, stopEpoch()),
      speed: session.stopwatch.speed(),
    };
  } finally {
    average?.close();
    gradients.close();
    optimizer.close();
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

function stateOf(best: StoredFolder | StateDict, read: (folder: StoredFolder) => StateDict): StateDict {
  return typeof best.path === "function" ? read(best as StoredFolder) : (best as StateDict);
}

/** Optimiser steps, over all epochs. Checkpoints are at whole ones. */
function stepsDone({ epoch, nextBatch }: TrainingState, perEpoch: number, accumulateSteps = 1): number {
  return (epoch - 1) * perEpoch + Math.ceil(nextBatch / accumulateSteps);
}

function resumeLine({ epoch, nextBatch }: TrainingState): string {
  return nextBatch === 0 ? `Resumed after epoch ${epoch - 1}` : `Resumed in epoch ${epoch}, after batch ${nextBatch}`;
}
