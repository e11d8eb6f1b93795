/**
 * The names of checkpoints: link e of a chain is the digest of link e - 1 and of everything that was decided for epoch e.
 *
 * Equal keys mean equal state (given equal code, data, engine and the other params, which whoever stores checkpoints
 * adds). What only says how far to go (epochs, early stop, best or last) is not in them, so a longer training begins with
 * a shorter one's links. An epoch's rates are in them as they are: a cosine over another horizon, whose rates differ from
 * the second epoch on, shares the first one alone, and none where it moves per step.
 */
import { createHash } from "node:crypto";
import { canonicalJson, type JsonObject, type JsonValue } from "../../json.ts";
import { type EpochRates, epochRates, rateAt, type TrainingLength, warmupSteps } from "../schedule/epoch-rates.ts";
import { initialPlateau, observePlateau, type PlateauState, plateauMode } from "../schedule/plateau.ts";
import type { PlateauSchedule, ScheduleSettings } from "../schedule/schedule-settings.ts";
import { metricAt, type Records } from "./history.ts";

/** What one step is taken with. */
export interface StepRate {
  readonly learningRate: number;
  /** In place of the optimiser's momentum (Adam's beta1); undefined leaves it. */
  readonly momentum: number | undefined;
}

export interface EpochChain {
  /** The key of the state after `epoch` (from 1). */
  link(epoch: number): JsonValue;
  /** The key of a state within `epoch`. */
  within(epoch: number): JsonValue;
  /** Of `step` (from 1) of `epoch`, where `plateau` is the state of a closed-loop schedule after the epoch before. */
  rate(epoch: number, step: number, plateau: PlateauState | null): StepRate;
  /** The state of a closed-loop schedule before the first epoch; null for an open-loop one. */
  readonly initialPlateau: PlateauState | null;
  /** The same after `epoch`, which `records` end with. */
  observe(epoch: number, plateau: PlateauState | null, records: Records): PlateauState | null;
}

/** The chain of a training of some length. */
export function epochChain(schedule: ScheduleSettings, baseRate: number, length: TrainingLength): EpochChain {
  const known = epochRates(schedule, baseRate, length);
  const closedLoop = schedule.type === "plateau" ? schedule : undefined;
  /** The warm-up's whole epochs are not judged: the schedule proper starts behind them. */
  const judgedFrom =
    closedLoop?.warmup === undefined
      ? 1
      : 1 + Math.floor(warmupSteps(closedLoop.warmup, length.stepsPerEpoch) / length.stepsPerEpoch);
  /** [epoch], of all that was decided up to it. */
  const digests = [""];
  for (let epoch = 1; epoch <= length.epochs; epoch++) {
    const rates = known[epoch - 1];
    const rule = closedLoop !== undefined && epoch >= judgedFrom ? plateauSettings(closedLoop) : {};
    digests.push(digestText(canonicalJson([digests[epoch - 1]!, { ...(rates && rateSettings(rates)), ...rule }])));
  }
  return {
    link: (epoch) => ({ type: "train/epoch", epoch, decided: digests[epoch]! }),
    within: (epoch) => ({ type: "train/within-epoch", epoch, decided: digests[epoch]! }),
    rate(epoch, step, plateau) {
      const rates = known[epoch - 1];
      return rates === undefined ? { learningRate: plateau!.learningRate, momentum: undefined } : rateAt(rates, step);
    },
    initialPlateau: closedLoop ? initialPlateau(baseRate) : null,
    observe(epoch, plateau, records) {
      if (!closedLoop || plateau === null || epoch < judgedFrom) return plateau;
      return observePlateau(closedLoop, plateau, metricAt(closedLoop.metric, epoch, records));
    },
  };
}

/** An epoch's one rate as it is; where each step has its own, the digest of them all. */
function rateSettings({ learningRates, momenta }: EpochRates): JsonObject {
  const [first] = learningRates;
  return {
    ...(learningRates.length === 1 ? { learningRate: first! } : { learningRates: digestOf(learningRates) }),
    ...(momenta && { momenta: digestOf(momenta) }),
  };
}

function digestText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** sha256 of the numbers as little-endian doubles. */
function digestOf(numbers: Float64Array): string {
  const bytes = new DataView(new ArrayBuffer(8 * numbers.length));
  numbers.forEach((number, i) => {
    bytes.setFloat64(8 * i, number, true);
  });
  return createHash("sha256").update(bytes).digest("hex");
}

function plateauSettings(schedule: PlateauSchedule): JsonObject {
  const { warmup: _, ...rule } = schedule;
  return { plateau: { ...rule, mode: plateauMode(schedule) } };
}
