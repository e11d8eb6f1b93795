/** Where a training is, beside the tensors: what `state.json` of a checkpoint holds. Read distrustfully, as its tensors are. */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import { CheckpointRefused } from "../checkpoint/training-checkpoint.ts";
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

/** What a checkpoint's key says of the state in it. */
export interface ExpectedState {
  readonly epoch: number;
  /** The steps of `epoch` are all still to come. */
  readonly atStart: boolean;
  readonly iterationsPerEpoch: number;
  readonly hasPlateau: boolean;
}

const FORMAT = "tfpipe/training-state/1";

export function initialTrainingState(plateau: PlateauState | null): TrainingState {
  return { epoch: 1, nextBatch: 0, correct: 0, loss: [], epochs: [], plateau };
}

export function trainingStateToJson({ epoch, nextBatch, correct, loss, epochs, plateau }: TrainingState): JsonObject {
  const json = { format: FORMAT, epoch, nextBatch, correct, loss, epochs, plateau };
  return json as unknown as JsonObject;
}

/** Of what `trainingStateToJson` gave. Throws `CheckpointRefused` where it is something else, or not of the expected place. */
export function trainingStateFromJson(json: JsonValue, expected: ExpectedState): TrainingState {
  const problem = stateProblem(json, expected);
  if (problem !== undefined) throw new CheckpointRefused(`its state.json ${problem}`);
  const { format: _, ...state } = json as JsonObject;
  return state as unknown as TrainingState;
}

function stateProblem(json: JsonValue, expected: ExpectedState): string | undefined {
  if (!isJsonObject(json)) return "is no object";
  const { format, epoch, nextBatch, correct, loss, epochs, plateau } = json;
  if (format !== FORMAT) return `is of the format ${JSON.stringify(format)}, not ${FORMAT}`;
  if (epoch !== expected.epoch) return `is of epoch ${JSON.stringify(epoch)}, not of ${expected.epoch}`;
  const [first, last] = expected.atStart ? [0, 0] : [1, expected.iterationsPerEpoch];
  if (!isCount(nextBatch) || nextBatch < first || nextBatch > last)
    return `goes on with batch ${JSON.stringify(nextBatch)} of ${expected.iterationsPerEpoch}`;
  if (!isCount(correct)) return `counts ${JSON.stringify(correct)} right predictions`;
  const steps = (epoch - 1) * expected.iterationsPerEpoch + nextBatch;
  if (!isJsonArray(loss) || loss.length !== steps || !loss.every(isNumber))
    return `does not hold the losses of its ${steps} minibatches`;
  if (!isJsonArray(epochs) || epochs.length !== epoch - 1 || !epochs.every(isRecord))
    return `does not hold the records of its ${epoch - 1} epochs`;
  const isPlateau = expected.hasPlateau ? isPlateauState(plateau) : plateau === null;
  return isPlateau ? undefined : "holds another schedule's state";
}

function isNumber(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: JsonValue, index: number): boolean {
  if (!isJsonObject(value)) return false;
  const { epoch, improved, learningRate, trainLoss, ...measured } = value;
  return (
    epoch === index + 1 &&
    typeof improved === "boolean" &&
    isNumber(learningRate) &&
    isNumber(trainLoss) &&
    Object.entries(measured).every(([name, number]) => MEASURED.includes(name) && isNumber(number))
  );
}

const MEASURED = ["trainAccuracy", "validLoss", "validAccuracy"];

function isPlateauState(value: JsonValue | undefined): boolean {
  if (value === undefined || !isJsonObject(value)) return false;
  const { learningRate, best, badEpochs, cooldown } = value;
  return isNumber(learningRate) && (best === null || isNumber(best)) && isCount(badEpochs) && isCount(cooldown);
}
