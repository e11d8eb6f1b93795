/**
 * One epoch after the other: optimiser steps, what is measured behind them, and the checkpoint that ends them.
 *
 * What must stay true: nothing computed depends on the clock, on where the training was resumed, or on how far it will
 * go; and the loss is looked at before the weights are moved by it, so a NaN never reaches them.
 */
import type { JsonValue } from "../../json.ts";
import { writeCheckpoint } from "../checkpoint/training-checkpoint.ts";
import type { Batch } from "../data/loader.ts";
import type { Tensor } from "../engine/engine.ts";
import { countTopK } from "../metrics/ranks.ts";
import { GradientNotFinite, type GradientSink, type MinibatchPosition } from "../optim/gradient-sink.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { optimizerStepOf, stepsPerEpoch } from "../optim/optimizer-step.ts";
import type { WeightAverage } from "../optim/weight-average.ts";
import type { EpochChain, StepRate } from "./epoch-chain.ts";
import { type Evaluation, evaluateNetwork } from "./evaluate-network.ts";
import { eventLoopTurn } from "./event-loop-turn.ts";
import { bestEpoch, type EpochRecord, epochRecord, type Records } from "./history.ts";
import { type ImageSource, uploadImages } from "./image-source.ts";
import { isKept } from "./keep-checkpoints.ts";
import { drawMix, type Mix, uploadMixedImages } from "./mixup.ts";
import { asOutOfMemory } from "./out-of-memory.ts";
import { softTargets } from "./soft-targets.ts";
import type { StateDict, Training } from "./training.ts";
import {
  evaluationDiverged,
  firstNonFinite,
  gradientDiverged,
  requireFinite,
  stepDiverged,
} from "./training-diverged.ts";
import { epochLine, stepLine } from "./training-lines.ts";
import { Stopwatch } from "./training-speed.ts";
import { type TrainingState, trainingStateToJson } from "./training-state.ts";

/** What moves a network's weights and follows them. Belongs to whoever made it. */
export interface WeightUpdates {
  readonly optimizer: Optimizer;
  readonly gradients: GradientSink;
  readonly average: WeightAverage | undefined;
}

/** A model as it is trained, and as it is measured and handed out where that is another one. */
interface ModelStates {
  readonly model: StateDict;
  readonly average: StateDict | undefined;
}

export class TrainingSession {
  readonly stopwatch: Stopwatch;
  readonly #training: Training;
  readonly #chain: EpochChain;
  readonly #updates: WeightUpdates;
  readonly #state: TrainingState;
  /** A checkpoint within the epoch under way exists. */
  #savedWithin: boolean;
  /** When the state that a killed training would go on from was reached. */
  #savedMs: number;

  /** Network, optimiser and average are as `state` says. */
  constructor(training: Training, chain: EpochChain, updates: WeightUpdates, state: TrainingState) {
    this.#training = training;
    this.#chain = chain;
    this.#updates = updates;
    this.#state = state;
    this.#savedWithin = state.nextBatch > 0;
    this.#savedMs = training.now();
    const { loader } = training.train;
    const stepsLeft = (training.settings.epochs - state.epoch + 1) * loader.batchesPerEpoch - state.nextBatch;
    this.stopwatch = new Stopwatch(training.now, loader, stepsLeft);
  }

  records(): Records {
    return { ...this.#state, iterationsPerEpoch: this.#training.train.loader.batchesPerEpoch };
  }

  /** The network's model, or its average where there is one. */
  async resultModel(): Promise<StateDict> {
    const { model, average } = await this.#modelStates();
    return average ?? model;
  }

  /** Trains what is left of the epoch under way, and saves its link. Returns the model that was measured behind it. */
  async trainEpoch(): Promise<{ readonly record: EpochRecord; readonly model: StateDict }> {
    const [state, { settings, log }] = [this.#state, this.#training];
    this.stopwatch.startEpoch();
    await this.#trainSteps();
    this.stopwatch.stepsDone();
    await this.#updates.average?.swap();
    const record = await this.#measureEpoch();
    await this.#updates.average?.swap();
    state.epochs.push(record);
    state.plateau = this.#chain.observe(record.epoch, state.plateau, this.records());
    state.epoch++;
    state.nextBatch = 0;
    state.correct = 0;
    const model = await this.stopwatch.checkpoint(async () => {
      const states = await this.#modelStates();
      requireFinite(states.model, record);
      await this.#save(this.#chain.link(record.epoch), states, { passing: false });
      if (this.#savedWithin) await this.#training.checkpoints.drop(this.#chain.within(record.epoch));
      this.#savedWithin = false;
      await this.#releaseOlder(record);
      return states.average ?? states.model;
    });
    this.stopwatch.epochDone();
    log?.(epochLine(record, settings.epochs, this.stopwatch.speed().elapsedMs));
    return { record, model };
  }

  /** Of the epoch's step that is under way, or was the last one. */
  #rate(step: number): StepRate {
    return this.#chain.rate(this.#state.epoch, step, this.#state.plateau);
  }

  async #trainSteps(): Promise<void> {
    const [state, { train, settings, memory, onStep, log }] = [this.#state, this.#training];
    const { epoch } = state;
    const { batchesPerEpoch } = train.loader;
    await this.#stopIfAsked();
    if (state.nextBatch === batchesPerEpoch) return;
    for await (const batch of train.loader.epoch(epoch, state.nextBatch)) {
      const rate = this.#rate(
        optimizerStepOf(epoch, state.nextBatch, batchesPerEpoch, settings.accumulateSteps).inEpoch,
      );
      const at = { epoch, step: state.nextBatch + 1, steps: batchesPerEpoch, batchSize: batch.labels.length };
      const loss = await this.#trainStep(batch, rate).catch((error: unknown) => {
        throw asOutOfMemory(error, at, memory);
      });
      state.loss.push(loss);
      state.nextBatch++;
      this.stopwatch.stepDone(batch.labels.length);
      const last = state.epochs.at(-1);
      onStep?.({
        epoch,
        epochs: settings.epochs,
        step: state.nextBatch,
        stepsPerEpoch: batchesPerEpoch,
        loss,
        learningRate: rate.learningRate,
        accuracy: last?.validAccuracy ?? last?.trainAccuracy,
        speed: this.stopwatch.speed(),
      });
      if (settings.logInterval > 0 && state.nextBatch % settings.logInterval === 0)
        log?.(stepLine({ epoch, epochs: settings.epochs, batch: state.nextBatch, batches: batchesPerEpoch, loss }));
      await this.#stopIfAsked();
      await this.#saveIfDue();
    }
    if (state.nextBatch !== batchesPerEpoch)
      throw new Error(`the loader gave ${state.nextBatch} batches in epoch ${epoch}, not ${batchesPerEpoch}`);
  }

  /** One minibatch, which is an optimiser step or a part of one. Returns the loss, which is finite. */
  async #trainStep(batch: Batch, { learningRate, momentum }: StepRate): Promise<number> {
    const [state, { engine, network, train, settings }] = [this.#state, this.#training];
    const steps = train.loader.batchesPerEpoch;
    const step = (state.epoch - 1) * steps + state.nextBatch + 1;
    const mix = settings.mixup && drawMix(settings.mixup, settings.seed, step, batch.labels.length);
    const images = mix ? uploadMixedImages(engine, batch, train, mix) : uploadImages(engine, batch, train);
    const logits = network.forward(images, { seed: settings.seed, step });
    const targets = this.#uploadTargets(batch.labels, logits.shape[1]!, mix);
    const { loss, dlogits } = engine.softmaxCrossEntropy(logits, targets);
    const position = optimizerStepOf(state.epoch, state.nextBatch, steps, settings.accumulateSteps);
    const at: MinibatchPosition = { ...position, learningRate, momentum };
    let value: number;
    try {
      value = (await engine.download(loss))[0]!;
      if (!Number.isFinite(value)) {
        network.discard();
        throw stepDiverged({
          loss: value,
          epoch: state.epoch,
          step: state.nextBatch + 1,
          steps,
          learningRate,
          batchSize: batch.labels.length,
          state: await network.stateDict(),
        });
      }
      if (settings.trainAccuracy === "running")
        state.correct += countTopK((await engine.download(logits)) as Float32Array, batch.labels, logits.shape[1]!, 1);
      network.backward(dlogits, (parameter, gradient) => this.#updates.gradients.take(parameter, gradient, at));
    } finally {
      engine.dispose(images, targets, logits, loss, dlogits);
    }
    await this.#finishMinibatch(at, value);
    return value;
  }

  async #finishMinibatch(at: MinibatchPosition, loss: number): Promise<void> {
    const { gradients, average } = this.#updates;
    try {
      await gradients.finishMinibatch(at);
    } catch (error) {
      if (!(error instanceof GradientNotFinite)) throw error;
      const { epoch, nextBatch } = this.#state;
      const steps = this.#training.train.loader.batchesPerEpoch;
      throw gradientDiverged(error.message, { epoch, step: nextBatch + 1, steps, learningRate: at.learningRate, loss });
    }
    if (at.ends) await average?.update(at.step);
  }

  /** The labels, or probabilities where they are smoothed or mixed. */
  #uploadTargets(labels: Int32Array, classes: number, mix: Mix | undefined): Tensor {
    const { engine, settings } = this.#training;
    const { labelSmoothing = 0 } = settings;
    if (labelSmoothing === 0 && mix === undefined) return engine.upload(labels, [labels.length]);
    const mixed = mix && { labels: labels.map((_, i) => labels[mix.partners[i]!]!), share: mix.share };
    return engine.upload(softTargets(labels, classes, labelSmoothing, mixed), [labels.length, classes]);
  }

  async #measureEpoch(): Promise<EpochRecord> {
    const { settings, train, trainEvaluation, valid } = this.#training;
    const { epoch, epochs, correct, loss } = this.#state;
    const { batchesPerEpoch, imagesPerEpoch } = train.loader;
    const { learningRate } = this.#rate(stepsPerEpoch(batchesPerEpoch, settings.accumulateSteps));
    const trainPass =
      settings.trainAccuracy === "eval" && (await this.#evaluate("train", trainEvaluation!, learningRate));
    const validPass = valid && (await this.#evaluate("valid", valid, learningRate));
    return epochRecord(epochs, {
      epoch,
      learningRate,
      trainLoss: meanLoss(loss.slice(-batchesPerEpoch), settings.batchSize, imagesPerEpoch),
      ...(trainPass && { trainAccuracy: trainPass.accuracy }),
      ...(settings.trainAccuracy === "running" && { trainAccuracy: correct / imagesPerEpoch }),
      ...(validPass && { validLoss: validPass.loss, validAccuracy: validPass.accuracy }),
    });
  }

  async #evaluate(images: "train" | "valid", source: ImageSource, learningRate: number): Promise<Evaluation> {
    const { engine, network, onEvaluation } = this.#training;
    let done = 0;
    const evaluation = await evaluateNetwork({
      engine,
      network,
      source,
      beforeBatch: () => this.#stopIfAsked(),
      onBatch: (_, labels) => {
        done += labels.length;
        onEvaluation?.({ images, done, count: source.loader.imagesPerEpoch });
      },
    });
    if (!Number.isFinite(evaluation.loss))
      throw evaluationDiverged(evaluation.loss, this.#state.epoch, learningRate, await network.stateDict());
    return evaluation;
  }

  /** Leaves, when the user asked to and the optimiser step under way is whole, behind a checkpoint of the epoch. */
  async #stopIfAsked(): Promise<void> {
    const { signal } = this.#training;
    await eventLoopTurn();
    if (!signal.aborted) return;
    const { epoch, nextBatch } = this.#state;
    const step = nextBatch > 0 ? this.#wholeStep() : 0;
    if (step === undefined) return;
    if (step > 0) {
      const states = await this.#modelStates();
      requireFinite(states.model, { epoch, step: nextBatch, learningRate: this.#rate(step).learningRate });
      await this.#saveWithin(states);
    }
    throw signal.reason;
  }

  /** So that a training which is killed loses no more than some minutes. */
  async #saveIfDue(): Promise<void> {
    const { settings, now } = this.#training;
    const { checkpointMinutes = 0 } = settings;
    if (checkpointMinutes === 0 || now() - this.#savedMs < checkpointMinutes * MINUTE_MS) return;
    if (this.#wholeStep() === undefined) return;
    await this.stopwatch.checkpoint(async () => {
      const states = await this.#modelStates();
      // Whether the training has an error, and which, must not depend on the clock: the next steps will tell.
      if (firstNonFinite(states.model) === undefined) await this.#saveWithin(states);
    });
  }

  /** The optimiser step (from 1, of its epoch) that ended with the last minibatch; undefined within one. */
  #wholeStep(): number | undefined {
    const [{ epoch, nextBatch }, { settings, train }] = [this.#state, this.#training];
    const { batchesPerEpoch } = train.loader;
    const { ends, inEpoch } = optimizerStepOf(epoch, nextBatch - 1, batchesPerEpoch, settings.accumulateSteps);
    return ends ? inEpoch : undefined;
  }

  async #saveWithin(states: ModelStates): Promise<void> {
    await this.#save(this.#chain.within(this.#state.epoch), states, { passing: true });
    this.#savedWithin = true;
  }

  /** The network holds its own weights afterwards, whatever it held before. */
  async #modelStates(): Promise<ModelStates> {
    const { network } = this.#training;
    const { average } = this.#updates;
    if (average === undefined) return { model: await network.stateDict(), average: undefined };
    if (average.swapped) await average.swap();
    const model = await network.stateDict();
    await average.swap();
    const averaged = await network.stateDict();
    await average.swap();
    return { model, average: averaged };
  }

  async #save(key: JsonValue, { model, average }: ModelStates, use: { readonly passing: boolean }): Promise<void> {
    const optimizer = await this.#updates.optimizer.stateDict();
    const state = trainingStateToJson(this.#state);
    const write = async (folder: string) =>
      writeCheckpoint(folder, { model, ...(average && { average }), optimizer, state });
    await this.#training.checkpoints.save(key, write, use);
    this.#savedMs = this.#training.now();
  }

  /** What is no longer the last epoch, or no longer the best. */
  async #releaseOlder({ epoch, improved }: EpochRecord): Promise<void> {
    const surpassed = improved ? bestEpoch(this.#state.epochs.slice(0, -1)) : 0;
    for (const old of new Set([epoch - 1, surpassed]))
      if (old > 0 && !this.#isKept(old)) await this.#mark(old, "expendable");
  }

  /** When the training has come to its end: what it ends with is kept, whoever let go of it before, or is not. */
  async markEnd(): Promise<void> {
    const { epochs } = this.#state;
    for (const epoch of new Set([epochs.length, bestEpoch(epochs)]))
      if (epoch > 0) await this.#mark(epoch, this.#isKept(epoch) ? "kept" : "expendable");
  }

  #isKept(epoch: number): boolean {
    const { epochs } = this.#state;
    const { keep = "all", select } = this.#training.settings;
    return isKept(epoch, keep, { select, last: epochs.length, best: bestEpoch(epochs) });
  }

  async #mark(epoch: number, as: "kept" | "expendable"): Promise<void> {
    await this.#training.checkpoints.mark(this.#chain.link(epoch), as);
  }
}

const MINUTE_MS = 60_000;

/** Mean per image of an epoch's minibatch losses: the last batch may be smaller. */
function meanLoss(losses: readonly number[], batchSize: number, images: number): number {
  return losses.reduce((sum, loss, i) => sum + loss * Math.min(batchSize, images - i * batchSize), 0) / images;
}
