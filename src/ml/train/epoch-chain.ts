/**
 * The names of checkpoints: link e of a chain is named by everything that was decided for epochs 1 to e.
 *
 * Equal keys mean equal state (given equal code, data, engine and the other params, which whoever stores checkpoints
 * adds). What only says how far to go (epochs, early stop, best or last) is not in them, so a longer training begins with
 * a shorter one's links, and a cosine over another horizon, whose rates differ from the second epoch on, shares the first one alone.
 */
import type { JsonObject, JsonValue } from "../../json.ts";
import { openLoopRates, warmupRates } from "../schedule/open-loop-rates.ts";
import { initialPlateau, observePlateau, type PlateauState, plateauMode } from "../schedule/plateau.ts";
import type { ScheduleSettings } from "../schedule/schedule-settings.ts";
import { metricAt, type Records } from "./history.ts";

/** What is decided for one epoch: its exact rate, or the rule by which a closed loop finds it. */
type EpochSettings = JsonObject;

export interface EpochChain {
  /** The key of the state after `epoch` (from 1). */
  link(epoch: number): JsonValue;
  /** The key of a state within `epoch`. */
  within(epoch: number): JsonValue;
  /** The rate of `epoch`, where `plateau` is the state of a closed-loop schedule after the epoch before. */
  learningRate(epoch: number, plateau: PlateauState | null): number;
  /** The state of a closed-loop schedule before the first epoch; null for an open-loop one. */
  readonly initialPlateau: PlateauState | null;
  /** The same after `epoch`, which `records` end with. */
  observe(epoch: number, plateau: PlateauState | null, records: Records): PlateauState | null;
}

/** The chain of a training over `epochs` epochs. */
export function epochChain(schedule: ScheduleSettings, baseRate: number, epochs: number): EpochChain {
  const closedLoop = schedule.type === "plateau";
  const known = closedLoop ? warmupRates(schedule.warmup, baseRate) : openLoopRates(schedule, baseRate, epochs);
  const settings: EpochSettings[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const learningRate = known[epoch - 1];
    settings.push(learningRate === undefined ? plateauSettings(schedule) : { learningRate });
  }
  return {
    link: (epoch) => ({ type: "train/epoch", epochs: settings.slice(0, epoch) }),
    within: (epoch) => ({ type: "train/within-epoch", epochs: settings.slice(0, epoch) }),
    learningRate: (epoch, plateau) => known[epoch - 1] ?? plateau!.learningRate,
    initialPlateau: closedLoop ? initialPlateau(baseRate) : null,
    observe(epoch, plateau, records) {
      // The warm-up's epochs are not judged: the schedule proper starts behind them.
      if (!closedLoop || plateau === null || epoch <= known.length) return plateau;
      return observePlateau(schedule, plateau, metricAt(schedule.metric, epoch, records));
    },
  };
}

function plateauSettings(schedule: ScheduleSettings): EpochSettings {
  if (schedule.type !== "plateau") throw new Error("an open-loop schedule has a rate for each epoch");
  const { warmup: _, ...rule } = schedule;
  return { plateau: { ...rule, mode: plateauMode(schedule) } };
}
