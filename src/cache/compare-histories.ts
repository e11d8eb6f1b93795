/** Where two trainings part, by the histories that they left: the epoch, and in it the minibatch whose loss differs first. */
import type { JsonValue } from "../json.ts";
import { isJsonArray, isJsonObject } from "../json.ts";
import type { JsonDifference } from "./artifact-difference.ts";
import { compareJson } from "./compare-json.ts";

export interface TrainingParting {
  /** How many epochs each has. */
  readonly epochs: { readonly before: number; readonly after: number };
  /** Epochs from the first on that are equal in both, losses of minibatches and all that was measured. */
  readonly equalEpochs: number;
  /** The first minibatch (from 1) of the epoch behind those whose loss differs. Absent where none does. */
  readonly minibatch?: {
    readonly minibatch: number;
    readonly of: number;
    readonly before: number;
    readonly after: number;
  };
  /** What else of that epoch's record differs, where no loss does. */
  readonly measured?: JsonDifference;
  /** Why the epochs cannot be compared one by one. */
  readonly incomparable?: string;
}

interface History {
  readonly iterationsPerEpoch: number;
  readonly loss: readonly number[];
  readonly epochs: readonly JsonValue[];
}

/** Undefined where both are no histories of a training, or nothing differs. */
export function compareHistories(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): TrainingParting | undefined {
  const [a, b] = [asHistory(before), asHistory(after)];
  if (a === undefined || b === undefined) return undefined;
  const epochs = { before: a.epochs.length, after: b.epochs.length };
  if (a.iterationsPerEpoch !== b.iterationsPerEpoch)
    return {
      epochs,
      equalEpochs: 0,
      incomparable: `an epoch has ${a.iterationsPerEpoch} minibatches in one and ${b.iterationsPerEpoch} in the other`,
    };
  const size = a.iterationsPerEpoch;
  const shorter = Math.min(epochs.before, epochs.after);
  const lossAt = a.loss.slice(0, shorter * size).findIndex((loss, i) => loss !== b.loss[i]);
  const recordAt = a.epochs.slice(0, shorter).findIndex((record, i) => compareJson(record, b.epochs[i]!) !== undefined);
  const parted = [lossAt < 0 ? shorter : Math.floor(lossAt / size), recordAt < 0 ? shorter : recordAt];
  const equalEpochs = Math.min(...parted);
  if (equalEpochs === shorter && epochs.before === epochs.after) return undefined;
  if (equalEpochs === shorter) return { epochs, equalEpochs };
  if (parted[0] === equalEpochs) {
    const minibatch = (lossAt % size) + 1;
    return { epochs, equalEpochs, minibatch: { minibatch, of: size, before: a.loss[lossAt]!, after: b.loss[lossAt]! } };
  }
  return { epochs, equalEpochs, measured: compareJson(a.epochs[equalEpochs]!, b.epochs[equalEpochs]!)! };
}

function asHistory(value: JsonValue | undefined): History | undefined {
  if (!isJsonObject(value)) return undefined;
  const { iterationsPerEpoch, loss, epochs } = value;
  const isWhole = typeof iterationsPerEpoch === "number" && iterationsPerEpoch > 0;
  return isWhole && isJsonArray(loss) && isJsonArray(epochs) ? (value as unknown as History) : undefined;
}
