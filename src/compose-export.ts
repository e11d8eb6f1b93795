/** Connects `pipe export` to the ml library. Part of the composition root. */
import { readFileSync } from "node:fs";
import { type ExportedFile, ExportRefused, type ModelExporter } from "./cli/model-exporter.ts";
import { version } from "./version.ts";

export function createModelExporter(): ModelExporter {
  return {
    async export({ target, model, dataset }) {
      const { readModelFiles, WEIGHTS_FILE } = await import("./ml/checkpoint/model-files.ts");
      const { openDataset } = await import("./ml/data/dataset.ts");
      const { exportModel } = await import("./ml/export/export-model.ts");
      const { describePreprocessing } = await import("./ml/export/preprocessing.ts");
      const stored = readModelFiles((file) => model.path(file));
      const opened = dataset && openDataset(dataset.artifact);
      const preprocessing = describePreprocessing(
        stored.description.imageChannels,
        opened && { ...opened, forEvaluation: dataset!.forEvaluation },
      );
      opened?.close();
      const files = exportModel(target, {
        ...stored,
        preprocessing,
        weights: () => readFileSync(model.path(WEIGHTS_FILE)),
        generatedBy: `tfpipe ${version}`,
      });
      return refusals(files);
    },
  };
}

function* refusals(files: Iterable<ExportedFile>): Generator<ExportedFile> {
  try {
    yield* files;
  } catch (error) {
    if (error instanceof Error && error.name === "ExportError")
      throw new ExportRefused(error.message, (error as Error & { readonly help: string }).help);
    throw error;
  }
}
