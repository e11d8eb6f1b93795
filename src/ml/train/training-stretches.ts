/**
 * A training as stretches that can be trained alone: each epoch, from the link before it. So a single epoch can be
 * verified, and two trainings can be replayed from where they were still equal.
 */
import type { JsonValue } from "../../json.ts";
import { type ForeseenTraining, findForeseen } from "./foresee-training.ts";
import { bestEpoch } from "./history.ts";

export interface TrainingStretch {
  readonly name: string;
  /** Links that it reads, first of all the one that it goes on from; none of the first epoch. */
  readonly needs: readonly JsonValue[];
  readonly to: JsonValue;
  /** Minibatches up to its end. */
  readonly done: number;
}

/** Epochs up to the last one that there is a link of, and the next, if the training has one. */
export async function trainingStretches(training: ForeseenTraining): Promise<readonly TrainingStretch[]> {
  const { epochs, select } = training.settings;
  const { chain, found, hasStopped } = await findForeseen(training);
  const wantBest = select === "best";
  const records = found?.state.epochs ?? [];
  const last = hasStopped ? records.length : Math.min(epochs, records.length + 1);
  return Array.from({ length: last }, (_, before) => {
    const best = wantBest ? bestEpoch(records.slice(0, before)) : 0;
    const needed = [before, best].filter((epoch, at, all) => epoch > 0 && all.indexOf(epoch) === at);
    return {
      name: `epoch ${before + 1}`,
      needs: needed.map((epoch) => chain.link(epoch)),
      to: chain.link(before + 1),
      done: (before + 1) * training.batchesPerEpoch,
    };
  });
}
