/**
 * Learning rates by PyTorch's chainable recurrences: each from the one before, in its order of operations, since the
 * closed forms differ from them in the last digits (`test/parity/schedules.test.ts` holds them against PyTorch's). What a
 * tick is, an epoch or a step, is the caller's.
 */
import { exactCosine } from "./exact-cosine.ts";
import type { RecurrentSchedule } from "./schedule-settings.ts";

/** The first `count` rates of `schedule` from `baseRate`. `period`: over how many ticks a cosine falls. */
export function recurrentRates(
  schedule: RecurrentSchedule,
  baseRate: number,
  count: number,
  period: number,
): Float64Array {
  const rates = new Float64Array(count);
  const next = recurrence(schedule, baseRate, period);
  for (let tick = 0; tick < count; tick++) rates[tick] = tick === 0 ? baseRate : next(tick, rates[tick - 1]!);
  return rates;
}

/** PyTorch's `LinearLR` over `count` ticks, the first `startFactor` times `baseRate`. */
export function warmupRates(count: number, startFactor: number, baseRate: number): Float64Array {
  const rates = new Float64Array(count);
  const rise = 1 - startFactor;
  for (let tick = 0; tick < count; tick++)
    rates[tick] =
      tick === 0 ? baseRate * startFactor : rates[tick - 1]! * (1 + rise / (count * startFactor + (tick - 1) * rise));
  return rates;
}

/** From a tick (at least 1) and the rate before it to its own. Asked in order. */
function recurrence(
  schedule: RecurrentSchedule,
  baseRate: number,
  period: number,
): (tick: number, rate: number) => number {
  switch (schedule.type) {
    case "constant":
      return (_, rate) => rate;
    case "step":
      return (tick, rate) => (tick % schedule.stepSize === 0 ? rate * schedule.gamma : rate);
    case "multistep":
      return (tick, rate) =>
        schedule.milestones.reduce((lower, milestone) => (milestone === tick ? lower * schedule.gamma : lower), rate);
    case "cosine": {
      const { minLr } = schedule;
      let before = exactCosine(0);
      return (tick, rate) => {
        const now = exactCosine((Math.PI * tick) / period);
        const atBottom = (tick - 1 - period) % (2 * period) === 0;
        const next = atBottom
          ? rate + ((baseRate - minLr) * (1 - exactCosine(Math.PI / period))) / 2
          : ((1 + now) / (1 + before)) * (rate - minLr) + minLr;
        before = now;
        return next;
      };
    }
  }
}
