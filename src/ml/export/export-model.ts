/**
 * A trained model for other programs: PyTorch (`safetensors`) or the browser (`tfjs`), with what it needs to know beside
 * the weights. Gives files, writes none.
 */
import type { JsonObject } from "../../json.ts";
import type { StoredModel } from "../checkpoint/model-files.ts";
import { safetensorsReadme, tfjsReadme } from "./export-readme.ts";
import type { ExportedFile } from "./exported-file.ts";
import { graphModelFiles } from "./graph-model.ts";
import { PREPROCESSING_FILE, type Preprocessing, preprocessingText } from "./preprocessing.ts";

export interface ModelExport extends StoredModel {
  readonly preprocessing: Preprocessing;
  /** The bytes of `model.safetensors`: a model's artifact is PyTorch's form already. */
  readonly weights: () => Uint8Array;
  /** Program and version, for formats that name their writer. */
  readonly generatedBy: string;
}

/** What can be exported to, and how. */
const TARGETS = { safetensors: safetensorsFiles, tfjs: tfjsFiles } as const;

export type ExportTarget = keyof typeof TARGETS;

/** The export's files, the one that others point to last. Throws `ExportError` where the format cannot say the model. */
export function exportModel(target: ExportTarget, model: ModelExport): Iterable<ExportedFile> {
  return TARGETS[target](model);
}

function* safetensorsFiles(model: ModelExport): Generator<ExportedFile> {
  const { description, spec, preprocessing } = model;
  yield { name: "README.md", content: safetensorsReadme(description.architecture, spec, preprocessing) };
  yield preprocessingFile(model);
  yield { name: "model.safetensors", content: model.weights() };
}

function* tfjsFiles(model: ModelExport): Generator<ExportedFile> {
  const { description, state, preprocessing, generatedBy } = model;
  yield { name: "README.md", content: tfjsReadme(description.architecture, preprocessing) };
  yield preprocessingFile(model);
  const { imageSize } = preprocessing;
  yield* graphModelFiles({ description, state, generatedBy, ...(imageSize !== undefined && { imageSize }) });
}

function preprocessingFile({ preprocessing, spec }: ModelExport): ExportedFile {
  return { name: PREPROCESSING_FILE, content: preprocessingText(preprocessing, { ...spec } as unknown as JsonObject) };
}
