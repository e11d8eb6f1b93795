/** Where a training is, beside the tensors: what `state.json` of a checkpoint holds. */
import type { JsonObject, JsonValue } from "../../json.ts";
import type { PlateauState } from "../schedule/plateau.ts";
import type { EpochRecord } from "./history.ts";

/** Mutable: grows by one loss a step, so it is not copied. */
export interface TrainingState {
  /** The epoch that is under way (from 1), and the batch of it (from 0) that comes next. */
  epoch: number;
  nextBatch: number;
  /** Of the epoch under way, in training mode: right predictions. Counted for `trainAccuracy: running`. */
  correct: number;
  /** Of all minibatches so far. */
  readonly loss: number[];
  /** Of all finished epochs. */
  readonly epochs: EpochRecord[];
  plateau: PlateauState | null;
}

const FORMAT = "tfpipe/training-state/1";

export function initialTrainingState(plateau: PlateauState | null): TrainingState {
  return { epoch: 1, nextBatch: 0, correct: 0, loss: [], epochs: [], plateau };
}

export function trainingStateToJson({ epoch, nextBatch, correct, loss, epochs, plateau }: TrainingState): JsonObject {
  const json = { format: FORMAT, epoch, nextBatch, correct, loss, epochs, plateau };
  return json as unknown as JsonObject;
}

/** Of what `trainingStateToJson` gave. Throws where it is something else. */
export function trainingStateFromJson(json: JsonObject): TrainingState {
  const { format, ...state } = json as { readonly [key: string]: JsonValue };
  if (format !== FORMAT) throw new Error(`a checkpoint of the format ${String(format)}, not ${FORMAT}`);
  return state as unknown as TrainingState;
}
