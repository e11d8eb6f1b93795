/** What `export` needs of the ml library, as a port: `main.ts` connects it. */
import type { Artifact } from "../contract.ts";

/** Formats that a model can be exported to. */
export const EXPORT_TARGETS = ["tfjs", "safetensors"] as const;
export type ExportTarget = (typeof EXPORT_TARGETS)[number];

export interface ExportRequest {
  readonly target: ExportTarget;
  readonly model: Artifact;
  /** The dataset that says how images must be prepared, where the model's stage had one. */
  readonly dataset: ExportedDataset | undefined;
}

export interface ExportedDataset {
  readonly artifact: Artifact;
  /** Prepared as for evaluation: its transforms draw nothing. */
  readonly forEvaluation: boolean;
}

/** A file of an export; `content` is whole. */
export interface ExportedFile {
  readonly name: string;
  readonly content: Uint8Array | string;
}

export interface ModelExporter {
  /** The files, made as they are asked for. Throws `ExportRefused`, on the call or while files are made. */
  export(request: ExportRequest): Promise<Iterable<ExportedFile>>;
}

/** The target cannot say this model. */
export class ExportRefused extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "ExportRefused";
    this.help = help;
  }
}
