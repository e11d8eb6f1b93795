/**
 * The learning rates of a training, epoch by epoch: a warm-up, then the schedule proper, each moving per step or per epoch.
 *
 *     step   0 ........ w ....................... end
 *            warm-up    schedule (per step: tick 0 is step w)
 *            |--epoch--|--epoch--|--epoch--|         (per epoch: tick 0 is the epoch in which the warm-up ends)
 */
import { oneCycle } from "./one-cycle.ts";
import { recurrentRates, warmupRates } from "./recurrent-rates.ts";
import type { ScheduleSettings, Warmup } from "./schedule-settings.ts";

/** What the steps of one epoch take. */
export interface EpochRates {
  /** One for all steps, or one for each. */
  readonly learningRates: Float64Array;
  /** One for each step; undefined where the optimiser's own momentum holds. */
  readonly momenta: Float64Array | undefined;
}

/** How long a training is: `stepsPerEpoch` optimiser steps in each of `epochs` epochs. */
export interface TrainingLength {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
}

/**
 * The rates of every epoch that are known before training: all of them for an open-loop schedule, those up to the end of
 * the warm-up for a plateau. A whole training's: a longer cosine has other rates throughout.
 */
export function epochRates(schedule: ScheduleSettings, baseRate: number, length: TrainingLength): EpochRates[] {
  const { epochs, stepsPerEpoch } = length;
  const steps = epochs * stepsPerEpoch;
  if (schedule.type === "oneCycle") {
    const { learningRates, momenta } = oneCycle(schedule, baseRate, steps);
    return inEpochs(length, (begin, end) => ({
      learningRates: learningRates.subarray(begin, end),
      momenta: momenta?.subarray(begin, end),
    }));
  }
  const { warmup } = schedule;
  const warmSteps = warmup === undefined ? 0 : warmupSteps(warmup, stepsPerEpoch);
  const warm = warmup === undefined ? new Float64Array(0) : warmupRatesOf(warmup, baseRate, length);
  /** Of a step from 0 on, in the warm-up. */
  const warmRate = (step: number) => warm[perStep(warmup!) ? step : Math.floor(step / stepsPerEpoch)]!;
  if (schedule.type === "plateau") {
    const known = { epochs: Math.min(epochs, Math.ceil(warmSteps / stepsPerEpoch)), stepsPerEpoch };
    return inEpochs(known, (begin, end) =>
      ratesOf(begin, end, (step) => (step < warmSteps ? warmRate(step) : baseRate)),
    );
  }
  const stepwise = schedule.per === "step";
  const before = stepwise ? warmSteps : Math.floor(warmSteps / stepsPerEpoch);
  const ticks = Math.max(0, (stepwise ? steps : epochs) - before);
  const cosineEpochs = schedule.type === "cosine" ? schedule.epochs : undefined;
  const period = cosineEpochs === undefined ? ticks : stepwise ? cosineEpochs * stepsPerEpoch : cosineEpochs;
  const rates = recurrentRates(schedule, baseRate, ticks, period);
  return inEpochs(length, (begin, end) => {
    const epoch = begin / stepsPerEpoch;
    if (!stepwise && begin >= warmSteps)
      return { learningRates: rates.subarray(epoch - before, epoch - before + 1), momenta: undefined };
    const behind = (step: number) => rates[(stepwise ? step : epoch) - before]!;
    return ratesOf(begin, end, (step) => (step < warmSteps ? warmRate(step) : behind(step)));
  });
}

/** How many steps a warm-up takes: of a fraction of an epoch, the nearest number. */
export function warmupSteps({ epochs, steps }: Warmup, stepsPerEpoch: number): number {
  return steps ?? Math.round((epochs ?? 0) * stepsPerEpoch);
}

/** The rate and the momentum of a step (from 1) of its epoch. */
export function rateAt(rates: EpochRates, step: number): { learningRate: number; momentum: number | undefined } {
  const { learningRates, momenta } = rates;
  return { learningRate: learningRates[learningRates.length === 1 ? 0 : step - 1]!, momentum: momenta?.[step - 1] };
}

function perStep(warmup: Warmup): boolean {
  return (warmup.per ?? (warmup.steps === undefined ? "epoch" : "step")) === "step";
}

/** One for each step of the warm-up, or one for each epoch of it; none where the training does not come to it. */
function warmupRatesOf(warmup: Warmup, baseRate: number, { stepsPerEpoch }: TrainingLength): Float64Array {
  const steps = warmupSteps(warmup, stepsPerEpoch);
  if (perStep(warmup)) return warmupRates(steps, warmup.startFactor, baseRate);
  if (steps % stepsPerEpoch !== 0)
    throw new RangeError(
      `a warm-up that rises once an epoch takes whole epochs, not ${steps} steps of ${stepsPerEpoch} an epoch`,
    );
  return warmupRates(steps / stepsPerEpoch, warmup.startFactor, baseRate);
}

function inEpochs(
  { epochs, stepsPerEpoch }: TrainingLength,
  of: (begin: number, end: number) => EpochRates,
): EpochRates[] {
  return Array.from({ length: epochs }, (_, epoch) => of(epoch * stepsPerEpoch, (epoch + 1) * stepsPerEpoch));
}

/** Equal ones are one: a step-wise schedule that stands still for an epoch is an epoch-wise one there. */
function ratesOf(begin: number, end: number, rate: (step: number) => number): EpochRates {
  const each = Float64Array.from({ length: end - begin }, (_, step) => rate(begin + step));
  return { learningRates: each.every((value) => value === each[0]) ? each.slice(0, 1) : each, momenta: undefined };
}
