/**
 * A training's state as a folder, from which it goes on to the same bits:
 *
 *   model.safetensors       parameters and running statistics, the very bytes of a model artifact
 *   average.safetensors     the same of the average of the weights, where the training keeps one
 *   optimizer.safetensors   slots, in the engine's layout
 *   state.json              everything else (where it is, history, schedule), as the training describes it
 *
 * Random numbers need no state: they are functions of seed, epoch and position. docs/checkpoints.md is the format's page.
 * What is read is not believed: whatever is not a checkpoint of this form is refused before anything is made of it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonObject, type JsonValue } from "../../json.ts";
import { readStateFile } from "./model-files.ts";
import { openSafetensors, SafetensorsError, type StoredTensor, writeSafetensors } from "./safetensors.ts";

type Tensors = Readonly<Record<string, StoredTensor>>;

export interface CheckpointTensors {
  readonly model: Tensors;
  readonly average?: Tensors;
  readonly optimizer: Tensors;
}

export interface TrainingCheckpoint extends CheckpointTensors {
  readonly state: JsonObject;
}

/** There is a checkpoint, and it is not what it should be. The message goes on after `it cannot be used: `. */
export class CheckpointRefused extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "CheckpointRefused";
  }
}

const MODEL = "model.safetensors";
const AVERAGE = "average.safetensors";
const OPTIMIZER = "optimizer.safetensors";
const STATE = "state.json";

/** Writes into an empty folder. */
export function writeCheckpoint(folder: string, { model, average, optimizer, state }: TrainingCheckpoint): void {
  writeSafetensors(join(folder, MODEL), model, { format: "pt" });
  if (average !== undefined) writeSafetensors(join(folder, AVERAGE), average, { format: "pt" });
  writeSafetensors(join(folder, OPTIMIZER), optimizer);
  writeFileSync(join(folder, STATE), `${canonicalJson(state)}\n`, { flag: "wx" });
}

/** A stored folder: `path(file)` is where one of its files lies, and throws where it has none of that name. */
export interface StoredFolder {
  path(file: string): string;
}

/** Throws `CheckpointRefused`, as all of these do. */
export function readCheckpointState(folder: StoredFolder): JsonValue {
  return reading(STATE, () => JSON.parse(readFileSync(folder.path(STATE), "utf8")) as JsonValue);
}

/** The model that an epoch is measured and selected by: the average, where there is one. */
export function readCheckpointModel(folder: StoredFolder, averaged: boolean): Tensors {
  return readTensors(folder, averaged ? AVERAGE : MODEL);
}

export function readCheckpointTensors(folder: StoredFolder, averaged: boolean): CheckpointTensors {
  return {
    model: readTensors(folder, MODEL),
    ...(averaged && { average: readTensors(folder, AVERAGE) }),
    optimizer: readTensors(folder, OPTIMIZER),
  };
}

function readTensors(folder: StoredFolder, file: string): Tensors {
  const tensors = reading(file, () => readStateFile(openSafetensors(folder.path(file))));
  for (const [name, tensor] of Object.entries(tensors))
    if (!allFinite(tensor)) throw new CheckpointRefused(`tensor ${name} of its ${file} holds a NaN or an infinity`);
  return tensors;
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const problem =
      error instanceof SafetensorsError ? error.message.replace(/^.* is not a valid/, "is not a valid") : undefined;
    throw new CheckpointRefused(`its ${file} ${problem ?? `cannot be read (${(error as Error).message})`}`);
  }
}

function allFinite({ data }: StoredTensor): boolean {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return true;
  // NaN where any element is not finite, in one quick pass.
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += data[i]! * 0;
  return zero === 0;
}
