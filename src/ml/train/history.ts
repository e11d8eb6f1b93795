/**
 * What happened in a training, epoch by epoch, and what follows from it alone: the best epoch and where to stop early.
 *
 * Both are pure functions of the records, so a checkpoint need not know how long a training will be or which of its
 * models is wanted, and one chain of checkpoints serves them all.
 */

import { plateauMode } from "../schedule/plateau.ts";
import type { PlateauMetric } from "../schedule/schedule-settings.ts";

export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  /** Mean over the epoch's training images, of what was trained on: smoothed and mixed targets, where they were. */
  readonly trainLoss: number;
  /** Accuracies are fractions. */
  readonly trainAccuracy?: number;
  readonly validLoss?: number;
  readonly validAccuracy?: number;
  /** Better than every epoch before: by validAccuracy, or by trainLoss where there are no validation images. */
  readonly improved: boolean;
}

/** The `history.json` artifact. */
export interface History {
  readonly batchSize: number;
  readonly iterationsPerEpoch: number;
  /** Of every minibatch, in order. */
  readonly loss: readonly number[];
  readonly epochs: readonly EpochRecord[];
  readonly bestEpoch: number;
  /** Why the training ended before its last epoch. Absent where it did not. */
  readonly stopped?: string;
}

export interface EarlyStop {
  readonly metric: PlateauMetric;
  /** Stop after this many epochs in a row without improvement. */
  readonly patience: number;
  /** A change by no more than this is no improvement. */
  readonly minDelta: number;
}

/** Adds `improved` to what was measured in the epoch that follows `before`. */
export function epochRecord(before: readonly EpochRecord[], measured: Omit<EpochRecord, "improved">): EpochRecord {
  const best = before[bestEpoch(before) - 1];
  return { ...measured, improved: best === undefined || isBetter(measured, best) };
}

/** The first epoch that was better than all before it and not surpassed later; 0 where there is none. */
export function bestEpoch(epochs: readonly EpochRecord[]): number {
  return epochs.findLast(({ improved }) => improved)?.epoch ?? 0;
}

function isBetter(a: Omit<EpochRecord, "improved">, b: EpochRecord): boolean {
  if (a.validAccuracy !== undefined && b.validAccuracy !== undefined) return a.validAccuracy > b.validAccuracy;
  return a.trainLoss < b.trainLoss;
}

/** What `metricAt` reads: a History, or one still growing. */
export type Records = Pick<History, "loss" | "epochs" | "iterationsPerEpoch">;

/** The metric of an epoch (counted from 1). Throws where it was not measured. */
export function metricAt(metric: PlateauMetric, epoch: number, { loss, epochs, iterationsPerEpoch }: Records): number {
  const value = metric === "minibatchLoss" ? loss[epoch * iterationsPerEpoch - 1] : epochs[epoch - 1]?.[metric];
  if (value === undefined) throw new Error(`${metric} was not measured in epoch ${epoch}: it needs validation images`);
  return value;
}

/** After which epoch `earlyStop` ends the training whose records these are; undefined while it goes on. */
export function earlyStopEpoch(earlyStop: EarlyStop | undefined, records: Records): number | undefined {
  if (earlyStop === undefined) return undefined;
  const { metric, patience, minDelta } = earlyStop;
  const sign = plateauMode({ mode: "auto", metric }) === "max" ? 1 : -1;
  let best = Number.NEGATIVE_INFINITY;
  let waited = 0;
  for (const { epoch } of records.epochs) {
    const value = sign * metricAt(metric, epoch, records);
    if (value > best + minDelta) {
      best = value;
      waited = 0;
    } else if (++waited >= patience) {
      return epoch;
    }
  }
  return undefined;
}
