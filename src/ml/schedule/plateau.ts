/**
 * PyTorch's `ReduceLROnPlateau`, as a pure step from state to state, so that a checkpoint can hold it as JSON.
 */
import type { PlateauSchedule } from "./schedule-settings.ts";

/** What the schedule remembers between epochs. */
export interface PlateauState {
  readonly learningRate: number;
  /** The best metric so far; null before the first. */
  readonly best: number | null;
  readonly badEpochs: number;
  /** Epochs of cooldown left. */
  readonly cooldown: number;
}

/** PyTorch's `eps`: a reduction by no more than this is not made. */
const SMALLEST_REDUCTION = 1e-8;

export function initialPlateau(learningRate: number): PlateauState {
  return { learningRate, best: null, badEpochs: 0, cooldown: 0 };
}

/** The state after an epoch whose metric was `metric`; its `learningRate` is the next epoch's. */
export function observePlateau(schedule: PlateauSchedule, state: PlateauState, metric: number): PlateauState {
  let { learningRate, best, badEpochs, cooldown } = state;
  if (best === null || isBetter(schedule, metric, best)) {
    best = metric;
    badEpochs = 0;
  } else {
    badEpochs++;
  }
  if (cooldown > 0) {
    cooldown--;
    badEpochs = 0;
  }
  if (badEpochs > schedule.patience) {
    const reduced = Math.max(learningRate * schedule.factor, schedule.minLr);
    if (learningRate - reduced > SMALLEST_REDUCTION) learningRate = reduced;
    cooldown = schedule.cooldown;
    badEpochs = 0;
  }
  return { learningRate, best, badEpochs, cooldown };
}

/** Which way is better, `auto` resolved. */
export function plateauMode({ mode, metric }: Pick<PlateauSchedule, "mode" | "metric">): "min" | "max" {
  if (mode !== "auto") return mode;
  return metric === "validAccuracy" ? "max" : "min";
}

function isBetter(schedule: PlateauSchedule, metric: number, best: number): boolean {
  const { threshold, thresholdMode } = schedule;
  const relative = thresholdMode === "rel";
  switch (plateauMode(schedule)) {
    case "min":
      return metric < (relative ? best * (1 - threshold) : best - threshold);
    case "max":
      return metric > (relative ? best * (threshold + 1) : best + threshold);
  }
}
