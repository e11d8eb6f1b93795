/**
 * The learning rates of open-loop schedules, epoch by epoch.
 *
 * Computed by PyTorch's chainable recurrences (each rate from the one before), in its order of operations, since the
 * closed forms differ from them in the last digits: `test/parity/schedules.test.ts` holds them against PyTorch's.
 */
import { exactCosine } from "./exact-cosine.ts";
import type { OpenLoopSchedule, Warmup } from "./schedule-settings.ts";

/** The rate of each of `epochs` epochs from `baseRate`. A whole training's: a longer cosine has other rates throughout. */
export function openLoopRates(schedule: OpenLoopSchedule, baseRate: number, epochs: number): number[] {
  const warmup = warmupRates(schedule.warmup, baseRate).slice(0, epochs);
  const rates: number[] = [];
  let rate = baseRate;
  for (let epoch = 0; epoch < epochs - warmup.length; epoch++) {
    if (epoch > 0) rate = nextRate(schedule, baseRate, rate, epoch, epochs - warmup.length);
    rates.push(rate);
  }
  return [...warmup, ...rates];
}

/** The rates of the warm-up's epochs: [] without one. */
export function warmupRates(warmup: Warmup | undefined, baseRate: number): number[] {
  if (warmup === undefined || warmup.epochs === 0) return [];
  const { epochs, startFactor } = warmup;
  const rates = [baseRate * startFactor];
  for (let epoch = 1; epoch < epochs; epoch++) {
    const rise = 1 - startFactor;
    rates.push(rates[epoch - 1]! * (1 + rise / (epochs * startFactor + (epoch - 1) * rise)));
  }
  return rates;
}

/** The rate of `epoch` (counted from 0 behind the warm-up, here at least 1) from `rate`, the epoch before's. */
function nextRate(
  schedule: OpenLoopSchedule,
  baseRate: number,
  rate: number,
  epoch: number,
  remaining: number,
): number {
  switch (schedule.type) {
    case "constant":
      return rate;
    case "step":
      return epoch % schedule.stepSize === 0 ? rate * schedule.gamma : rate;
    case "multistep":
      return schedule.milestones
        .filter((milestone) => milestone === epoch)
        .reduce((product) => product * schedule.gamma, rate);
    case "cosine": {
      const { minLr } = schedule;
      const period = schedule.epochs ?? remaining;
      if ((epoch - 1 - period) % (2 * period) === 0)
        return rate + ((baseRate - minLr) * (1 - exactCosine(Math.PI / period))) / 2;
      const [now, before] = [exactCosine((Math.PI * epoch) / period), exactCosine((Math.PI * (epoch - 1)) / period)];
      return ((1 + now) / (1 + before)) * (rate - minLr) + minLr;
    }
  }
}
