/**
 * A pipeline after every phase of the language: references resolved, profiles merged, defaults filled, ports known.
 * What the rest of the program works on; only `language/` ever saw YAML.
 */
import type { Facts, OutputPort, StageDefinition } from "../contract.ts";
import type { Span } from "../diagnostics/span.ts";
import type { JsonObject } from "../json.ts";

export interface Pipeline {
  readonly name: string;
  /** Path as the user gave it, for messages. */
  readonly file: string;
  /** Absolute folder that relative paths in the file start from. */
  readonly folder: string;
  /** In the order given. */
  readonly profiles: readonly string[];
  /** Names of all profiles of the file. */
  readonly availableProfiles: readonly string[];
  /** After profiles and `--param`. */
  readonly params: JsonObject;
  /** In file order. */
  readonly stages: readonly PipelineStage[];
}

export interface PipelineStage {
  readonly name: string;
  readonly type: string;
  /** `with`, references resolved, defaults filled. */
  readonly params: JsonObject;
  readonly inputs: Readonly<Record<string, InputSource>>;
  readonly outputs: Readonly<Record<string, OutputPort>>;
  /** Order without data. */
  readonly after: readonly string[];
  /** Only where the stage type computes. `auto` is resolved before keys are made. */
  readonly engine?: EngineSetting;
  /** What is known about each output before a run. */
  readonly facts: Readonly<Record<string, Facts>>;
  readonly spans: StageSpans;
}

export type InputSource =
  | { readonly from: "stage"; readonly stage: string; readonly output: string }
  /** `path` is absolute; `text` is what the user wrote. */
  | { readonly from: "path"; readonly path: string; readonly text: string };

export interface EngineSetting {
  readonly name: "auto" | "native" | "webgpu" | "wasm" | "cpu";
  readonly threads: number;
  readonly precision: "float32" | "bfloat16";
  /** How 3 x 3 convolutions are computed. */
  readonly convolution: "auto" | "direct" | "winograd";
}

export interface StageSpans {
  /** Of the stage's name. */
  readonly name: Span;
  /** By dotted param path, where the value was written (profile and `--param` included). */
  readonly params: Readonly<Record<string, Span>>;
  readonly inputs: Readonly<Record<string, Span>>;
  /** Where the engine was chosen, for the stage or the whole pipeline; absent where the default holds. */
  readonly engine?: Span;
  /** By setting of the engine (`precision`), where its value was written; absent where no engine was chosen. */
  readonly engineSettings?: Readonly<Record<string, Span>>;
}

/** A stage type as the language sees it. */
export interface StageType {
  readonly definition: StageDefinition;
  /** JSON Schema (draft-07) of `with`. */
  readonly schema: JsonObject;
}

export type StageCatalogue = ReadonlyMap<string, StageType>;
