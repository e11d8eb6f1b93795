/**
 * A model on disk: `model.safetensors` (torchvision's names and layouts) and `architecture.json` (the spec, canonical).
 * Whoever makes a model writes it with `writeModelFiles`, so that equal models are equal bytes.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "../../json.ts";
import type { ArchitectureSpec } from "../models/architecture.ts";
import { describeModel } from "../models/describe-model.ts";
import type { ModelDescription } from "../nn/model-description.ts";
import { openSafetensors, type Safetensors, type StoredTensor, writeSafetensors } from "./safetensors.ts";

export const WEIGHTS_FILE = "model.safetensors";
export const ARCHITECTURE_FILE = "architecture.json";

export interface StoredModel {
  readonly spec: ArchitectureSpec;
  readonly description: ModelDescription;
  readonly state: Readonly<Record<string, StoredTensor>>;
}

/** Writes a model into an empty folder. */
export function writeModelFiles(folder: string, { spec, state }: Omit<StoredModel, "description">): void {
  // Readers outside this project take `format: pt` as "these are PyTorch's layouts".
  writeSafetensors(join(folder, WEIGHTS_FILE), state, { format: "pt" });
  writeFileSync(join(folder, ARCHITECTURE_FILE), `${canonicalJson({ ...spec })}\n`);
}

/** Reads a model; `path` gives the place of each of its files (an artifact's `path`). */
export function readModelFiles(path: (file: string) => string): StoredModel {
  const spec = JSON.parse(readFileSync(path(ARCHITECTURE_FILE), "utf8")) as ArchitectureSpec;
  return {
    spec,
    description: describeModel(spec),
    state: readStateFile(openSafetensors(path(WEIGHTS_FILE))),
  };
}

/** All tensors of a file. */
export function readStateFile(file: Safetensors): Record<string, StoredTensor> {
  return Object.fromEntries([...file.entries.keys()].map((name) => [name, file.read(name)]));
}
