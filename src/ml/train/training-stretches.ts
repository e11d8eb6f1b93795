/**
 * A training as stretches that can be trained alone: each epoch, from the link before it. So a single epoch can be
 * verified, and two trainings can be replayed from where they were still equal.
 */
import type { JsonValue } from "../../json.ts";
import { stepsPerEpoch } from "../optim/optimizer-step.ts";
import { epochChain } from "./epoch-chain.ts";
import type { ForeseenTraining } from "./foresee-training.ts";
import { bestEpoch, earlyStopEpoch } from "./history.ts";
import { findResumePoint } from "./resume-point.ts";

export interface TrainingStretch {
  readonly name: string;
  /** Links that it reads, first of all the one that it goes on from; none of the first epoch. */
  readonly needs: readonly JsonValue[];
  readonly to: JsonValue;
  /** Minibatches up to its end. */
  readonly done: number;
}

/** Epochs up to the last one that there is a link of, and the next, if the training has one. */
export async function trainingStretches({
  settings,
  batchesPerEpoch,
  checkpoints,
}: ForeseenTraining): Promise<readonly TrainingStretch[]> {
  const { epochs, accumulateSteps, schedule, optimizer, earlyStop, select } = settings;
  const length = { epochs, stepsPerEpoch: stepsPerEpoch(batchesPerEpoch, accumulateSteps) };
  const chain = epochChain(schedule, optimizer.learningRate, length);
  const wantBest = select === "best";
  const found = await findResumePoint({
    chain,
    checkpoints,
    epochs,
    iterationsPerEpoch: batchesPerEpoch,
    earlyStop,
    wantBest,
    accept: () => undefined,
  });
  const records = found?.state.epochs ?? [];
  const hasStopped =
    found !== undefined &&
    earlyStopEpoch(earlyStop, { ...found.state, iterationsPerEpoch: batchesPerEpoch }) !== undefined;
  const last = hasStopped ? records.length : Math.min(epochs, records.length + 1);
  return Array.from({ length: last }, (_, before) => {
    const best = wantBest ? bestEpoch(records.slice(0, before)) : 0;
    const needed = [before, best].filter((epoch, at, all) => epoch > 0 && all.indexOf(epoch) === at);
    return {
      name: `epoch ${before + 1}`,
      needs: needed.map((epoch) => chain.link(epoch)),
      to: chain.link(before + 1),
      done: (before + 1) * batchesPerEpoch,
    };
  });
}
