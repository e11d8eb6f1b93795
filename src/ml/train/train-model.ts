/**
 * The training loop: epochs of optimiser steps, what is measured after each, and a checkpoint after each, from which an
 * interrupted training goes on to the very bits of an uninterrupted one.
 *
 *   find the resume point -> per epoch: steps -> train and valid accuracy -> record -> schedule -> checkpoint -> stop?
 *
 * What must stay true: nothing that is computed depends on the clock, on where a training was resumed, or on how far it
 * will go; the loss is looked at before the weights are moved by it, so a NaN never reaches them.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import {
  readCheckpointModel,
  readCheckpointOptimizer,
  type StoredFolder,
  writeCheckpoint,
} from "../checkpoint/training-checkpoint.ts";
import type { Engine } from "../engine/engine.ts";
import { countTopK } from "../metrics/ranks.ts";
import type { Network } from "../nn/network.ts";
import { createOptimizer } from "../optim/optimizer.ts";
import type { OptimizerSettings } from "../optim/optimizer-settings.ts";
import type { ScheduleSettings } from "../schedule/schedule-settings.ts";
import { epochChain } from "./epoch-chain.ts";
import { type Evaluation, evaluateNetwork } from "./evaluate-network.ts";
import { bestEpoch, type EarlyStop, earlyStopEpoch, epochRecord, type History } from "./history.ts";
import { type ImageSource, uploadImages } from "./image-source.ts";
import { type CheckpointStore, findResumePoint } from "./resume-point.ts";
import { TrainingDiverged, trainingDiverged } from "./training-diverged.ts";
import { epochLine, stepLine } from "./training-lines.ts";
import { Stopwatch, type TrainingSpeed } from "./training-speed.ts";
import { initialTrainingState, trainingStateToJson } from "./training-state.ts";

export interface TrainingSettings {
  readonly epochs: number;
  readonly batchSize: number;
  /** Of dropout. The order of images is the loader's. */
  readonly seed: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: ScheduleSettings;
  /** `eval`: a pass over `trainEvaluation` after each epoch; `running`: counted in the steps, in training mode. */
  readonly trainAccuracy: "eval" | "running" | "none";
  /** Which epoch's model is the result. */
  readonly select: "best" | "last";
  readonly earlyStop?: EarlyStop;
  /** A line every so many steps; 0: none. */
  readonly logInterval: number;
  /** How many epochs' checkpoints stay, beside the best one's. Left out: all. */
  readonly keepCheckpoints?: number;
}

export interface Training {
  readonly engine: Engine;
  /** With its initial weights loaded. Holds the last epoch's afterwards. */
  readonly network: Network;
  readonly settings: TrainingSettings;
  readonly train: ImageSource;
  /** Training images in order and without augmentation, for `trainAccuracy: eval`. */
  readonly trainEvaluation?: ImageSource;
  readonly valid?: ImageSource;
  readonly checkpoints: CheckpointStore;
  /** Aborted to stop: the step is finished, a checkpoint is saved, and `signal.reason` is thrown. */
  readonly signal: AbortSignal;
  /** Milliseconds of a monotonic clock: for speed alone. */
  now(): number;
  onStep?(figures: StepFigures): void;
  log?(line: string): void;
}

/** How far a training is, after a step. */
export interface StepFigures {
  readonly epoch: number;
  readonly epochs: number;
  /** Of the epoch, from 1. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** The last measured validation accuracy, else training accuracy. A fraction. */
  readonly accuracy: number | undefined;
  readonly speed: TrainingSpeed;
}

export interface TrainedModel {
  /** Of the selected epoch: parameters and running statistics in PyTorch's layouts. */
  readonly state: Readonly<Record<string, StoredTensor>>;
  readonly history: History;
  /** Of this execution; its rates are undefined where it had nothing left to train. */
  readonly speed: TrainingSpeed;
}

/** Trains. Throws `TrainingDiverged` where a loss is not finite, and `signal.reason` where it was stopped. */
export async function trainModel(training: Training): Promise<TrainedModel> {
  const { engine, network, settings, train, valid, checkpoints, signal } = training;
  const { epochs, optimizer: optimizerSettings, select, earlyStop } = settings;
  const { batchesPerEpoch, imagesPerEpoch } = train.loader;
  if (batchesPerEpoch === 0) throw new Error("an epoch has no batch: fewer images than batchSize, with dropLast");
  if (settings.trainAccuracy === "eval" && training.trainEvaluation === undefined)
    throw new Error("trainAccuracy: eval needs trainEvaluation");

  const chain = epochChain(settings.schedule, optimizerSettings.learningRate, epochs);
  const optimizer = createOptimizer(engine, network.parameters, optimizerSettings);
  try {
    const found = await findResumePoint({
      chain,
      checkpoints,
      epochs,
      iterationsPerEpoch: batchesPerEpoch,
      earlyStop,
      wantBest: select === "best",
    });
    const state = found?.state ?? initialTrainingState(chain.initialPlateau);
    if (found !== undefined) {
      network.loadStateDict(readCheckpointModel(found.folder));
      optimizer.loadStateDict(readCheckpointOptimizer(found.folder));
      training.log?.(
        state.nextBatch === 0
          ? `Resumed after epoch ${state.epoch - 1}`
          : `Resumed in epoch ${state.epoch}, after batch ${state.nextBatch}`,
      );
    }
    const records = () => ({ ...state, iterationsPerEpoch: batchesPerEpoch });
    let best: StoredFolder | Readonly<Record<string, StoredTensor>> | undefined = found?.best;
    let dropWithin = state.nextBatch > 0;
    let stopEpoch = earlyStopEpoch(earlyStop, records());
    const stopwatch = new Stopwatch(
      training.now,
      train.loader,
      (epochs - state.epoch + 1) * batchesPerEpoch - state.nextBatch,
    );

    const save = (key: ReturnType<typeof chain.link>, model: Readonly<Record<string, StoredTensor>>) =>
      checkpoints.save(key, async (folder) => {
        writeCheckpoint(folder, { model, optimizer: await optimizer.stateDict(), state: trainingStateToJson(state) });
      });
    const stopIfAsked = async () => {
      if (!signal.aborted) return;
      if (state.nextBatch > 0) await save(chain.within(state.epoch), await network.stateDict());
      throw signal.reason;
    };

    while (state.epoch <= epochs && stopEpoch === undefined) {
      const { epoch } = state;
      const learningRate = chain.learningRate(epoch, state.plateau);
      await stopIfAsked();
      stopwatch.startEpoch();
      if (state.nextBatch < batchesPerEpoch) {
        for await (const batch of train.loader.epoch(epoch, state.nextBatch)) {
          const labels = batch.labels.slice();
          const images = uploadImages(engine, batch, train);
          const labelsOnEngine = engine.upload(labels, [labels.length]);
          const step = (epoch - 1) * batchesPerEpoch + state.nextBatch + 1;
          const logits = network.forward(images, { seed: settings.seed, step });
          const result = engine.softmaxCrossEntropy(logits, labelsOnEngine);
          const loss = (await engine.download(result.loss))[0]!;
          if (Number.isFinite(loss)) {
            if (settings.trainAccuracy === "running") {
              const scores = (await engine.download(logits)) as Float32Array;
              state.correct += countTopK(scores, labels, logits.shape[1]!, 1);
            }
            network.backward(result.dlogits, (parameter, gradient) =>
              optimizer.update(parameter, gradient, learningRate, step),
            );
          } else {
            network.discard();
          }
          engine.dispose(images, labelsOnEngine, logits, result.loss, result.dlogits);
          if (!Number.isFinite(loss))
            throw trainingDiverged({
              loss,
              epoch,
              step: state.nextBatch + 1,
              steps: batchesPerEpoch,
              learningRate,
              batchSize: labels.length,
              state: await network.stateDict(),
            });
          state.loss.push(loss);
          state.nextBatch++;
          stopwatch.stepDone(labels.length);
          const last = state.epochs.at(-1);
          training.onStep?.({
            epoch,
            epochs,
            step: state.nextBatch,
            stepsPerEpoch: batchesPerEpoch,
            loss,
            learningRate,
            accuracy: last?.validAccuracy ?? last?.trainAccuracy,
            speed: stopwatch.speed(),
          });
          if (settings.logInterval > 0 && state.nextBatch % settings.logInterval === 0)
            training.log?.(stepLine({ epoch, epochs, batch: state.nextBatch, batches: batchesPerEpoch, loss }));
          await stopIfAsked();
        }
        if (state.nextBatch !== batchesPerEpoch)
          throw new Error(`the loader gave ${state.nextBatch} batches in epoch ${epoch}, not ${batchesPerEpoch}`);
      }
      stopwatch.stepsDone();

      const evaluate = async (source: ImageSource): Promise<Evaluation> => {
        const evaluation = await evaluateNetwork({ engine, network, source, beforeBatch: stopIfAsked });
        if (Number.isFinite(evaluation.loss)) return evaluation;
        throw new TrainingDiverged(
          `the loss in eval mode is ${evaluation.loss} after epoch ${epoch} (learning rate ${learningRate}), although the training losses were finite`,
          "the running statistics lag behind the weights: lower optimizer.learningRate, or start with schedule.warmup",
        );
      };
      const trainEvaluation = settings.trainAccuracy === "eval" ? await evaluate(training.trainEvaluation!) : undefined;
      const validation = valid && (await evaluate(valid));
      const trainAccuracy =
        settings.trainAccuracy === "running" ? state.correct / imagesPerEpoch : trainEvaluation?.accuracy;
      const record = epochRecord(state.epochs, {
        epoch,
        learningRate,
        trainLoss: meanLoss(state.loss.slice(-batchesPerEpoch), settings.batchSize, imagesPerEpoch),
        ...(trainAccuracy !== undefined && { trainAccuracy }),
        ...(validation && { validLoss: validation.loss, validAccuracy: validation.accuracy }),
      });

      state.epochs.push(record);
      state.plateau = chain.observe(epoch, state.plateau, records());
      state.epoch++;
      state.nextBatch = 0;
      state.correct = 0;
      const previousBest = bestEpoch(state.epochs.slice(0, -1));
      const model = await network.stateDict();
      if (record.improved && select === "best") best = model;
      await save(chain.link(epoch), model);
      if (dropWithin) await checkpoints.drop(chain.within(epoch));
      dropWithin = false;
      const keep = settings.keepCheckpoints;
      if (keep !== undefined) {
        const old = [epoch - keep, ...(record.improved ? [previousBest] : [])];
        for (const other of old)
          if (other > 0 && other <= epoch - keep && other !== bestEpoch(state.epochs))
            await checkpoints.drop(chain.link(other));
      }
      stopwatch.epochDone();
      training.log?.(epochLine(record, epochs, stopwatch.speed().elapsedMs));
      stopEpoch = earlyStopEpoch(earlyStop, records());
    }

    const { loss, epochs: epochRecords } = state;
    const stopped =
      earlyStop && stopEpoch !== undefined && stopEpoch < epochs
        ? `${earlyStop.metric} did not improve for ${earlyStop.patience} ${earlyStop.patience === 1 ? "epoch" : "epochs"}`
        : undefined;
    return {
      state: select === "best" && best !== undefined ? selectedModel(best) : await network.stateDict(),
      history: {
        batchSize: settings.batchSize,
        iterationsPerEpoch: batchesPerEpoch,
        loss,
        epochs: epochRecords,
        bestEpoch: bestEpoch(epochRecords),
        ...(stopped !== undefined && { stopped }),
      },
      speed: stopwatch.speed(),
    };
  } finally {
    optimizer.close();
  }
}

function selectedModel(
  best: StoredFolder | Readonly<Record<string, StoredTensor>>,
): Readonly<Record<string, StoredTensor>> {
  return typeof best.path === "function"
    ? readCheckpointModel(best as StoredFolder)
    : (best as Record<string, StoredTensor>);
}

/** Mean per image of an epoch's minibatch losses: the last batch may be smaller. */
function meanLoss(losses: readonly number[], batchSize: number, images: number): number {
  const total = losses.reduce((sum, loss, i) => sum + loss * Math.min(batchSize, images - i * batchSize), 0);
  return total / images;
}
