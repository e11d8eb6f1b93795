/**
 * A training's state as a folder, from which it goes on to the same bits:
 *
 *   model.safetensors       parameters and running statistics, the very bytes of a model artifact
 *   average.safetensors     the same of the average of the weights, where the training keeps one
 *   optimizer.safetensors   slots, in the engine's layout
 *   state.json              everything else (where it is, history, schedule), as the training describes it
 *
 * Random numbers need no state: they are functions of seed, epoch and position.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonObject } from "../../json.ts";
import { readStateFile } from "./model-files.ts";
import { openSafetensors, type StoredTensor, writeSafetensors } from "./safetensors.ts";

export interface TrainingCheckpoint {
  readonly model: Readonly<Record<string, StoredTensor>>;
  readonly average?: Readonly<Record<string, StoredTensor>>;
  readonly optimizer: Readonly<Record<string, StoredTensor>>;
  readonly state: JsonObject;
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

/** A stored folder: `path(file)` is where one of its files lies. */
export interface StoredFolder {
  path(file: string): string;
}

export function readCheckpointState(folder: StoredFolder): JsonObject {
  return JSON.parse(readFileSync(folder.path(STATE), "utf8"));
}

export function readCheckpointModel(folder: StoredFolder): Record<string, StoredTensor> {
  return readStateFile(openSafetensors(folder.path(MODEL)));
}

/** Of a training that keeps an average. */
export function readCheckpointAverage(folder: StoredFolder): Record<string, StoredTensor> {
  return readStateFile(openSafetensors(folder.path(AVERAGE)));
}

export function readCheckpointOptimizer(folder: StoredFolder): Record<string, StoredTensor> {
  return readStateFile(openSafetensors(folder.path(OPTIMIZER)));
}
