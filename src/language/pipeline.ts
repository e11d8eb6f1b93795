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
  /** Of a sweep: what it varies, over all stages. */
  readonly sweep?: PipelineSweep;
  /** In file order; instances of a matrix in the order of their values. */
  readonly stages: readonly PipelineStage[];
}

export interface PipelineSweep {
  /** Dotted names. */
  readonly params: readonly string[];
  readonly trials: readonly PipelineTrial[];
}

export interface PipelineTrial {
  /** `learningRate=0.1,seed=2`. */
  readonly name: string;
  /** Of the pipeline's matrix, where it has one, and of the swept params. */
  readonly values: JsonObject;
}

export interface PipelineStage {
  /** Of an instance of a matrix `train@lr=0.1,seed=2`. */
  readonly name: string;
  /** A stage type's name; of a user's own stage its path as written, `./stages/clean.ts`; `run` of a shell stage. */
  readonly type: string;
  /** Where the stage is one of a matrix: what it was fanned out from, and by which values. */
  readonly instance?: MatrixInstance;
  /** A user's own stage: the module, absolute. */
  readonly module?: string;
  /** A shell stage. */
  readonly command?: ShellCommand;
  /** `with`, references resolved, defaults filled. */
  readonly params: JsonObject;
  readonly inputs: Readonly<Record<string, InputSource>>;
  readonly outputs: Readonly<Record<string, OutputPort>>;
  /** Order without data. */
  readonly after: readonly string[];
  /** Only where the stage type computes. `auto` is resolved before keys are made. */
  readonly engine?: EngineSetting;
  /** How it is run, never what comes out of it: in no key. */
  readonly execution: ExecutionSettings;
  /** Environment variables declared for it (`env:`), by name; in the key by value. */
  readonly env: Readonly<Record<string, string>>;
  /** What is known about each output before a run. */
  readonly facts: Readonly<Record<string, Facts>>;
  readonly spans: StageSpans;
}

export type InputSource =
  | { readonly from: "stage"; readonly stage: string; readonly output: string }
  /** `path` is absolute; `text` is what the user wrote. */
  | { readonly from: "path"; readonly path: string; readonly text: string }
  /** `train@*`: one output of every instance, by the instance's values (`lr=0.1,seed=2`). */
  | { readonly from: "instances"; readonly text: string; readonly members: readonly InstanceSource[] };

export interface InstanceSource {
  /** `lr=0.1,seed=2`. */
  readonly name: string;
  readonly stage: string;
  readonly output: string;
}

export interface MatrixInstance {
  /** The stage's name in the file. */
  readonly of: string;
  /** `lr=0.1,seed=2`. */
  readonly name: string;
  /** In the order of the file. */
  readonly values: JsonObject;
}

/** A shell stage. Its inputs and outputs reach the command as environment variables and are never pasted into its text. */
export interface ShellCommand {
  /** As written: this text enters the key, and the values that its references have. */
  readonly text: string;
  /** What the shell is given: each `${...}` of ours is the name of an environment variable. */
  readonly script: string;
  /** Values by environment variable, of references to params, matrix and env. Those of inputs and outputs are places. */
  readonly values: Readonly<Record<string, string>>;
  /** What each of those values stands for, `params.epochs`, and where it was written: for people, in no key. */
  readonly references?: Readonly<Record<string, { readonly text: string; readonly span: Span }>>;
  /** The name of the environment variable that holds the place of an input or output, by port. */
  readonly inputVariables: Readonly<Record<string, string>>;
  readonly outputVariables: Readonly<Record<string, string>>;
  /** Where each output's file or folder lies under its staging folder, as the user named it: `table.csv`. */
  readonly outputPaths: Readonly<Record<string, string>>;
  /** The program that runs the script, with its arguments: `["bash", "-euo", "pipefail", "-c"]`. */
  readonly shell: readonly string[];
  /** Absolute; the pipeline's folder unless `folder` says another. Relative to the pipeline's folder in keys. */
  readonly folder: string;
  /** Programs whose bytes enter the key. */
  readonly tools: readonly string[];
}

export interface ExecutionSettings {
  /** Tokens taken while it runs, not limits. Absent: what the kind of stage takes by default. */
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly gpus?: number;
  /** Ends the stage as failed. */
  readonly timeoutMs?: number;
  /** After a failure, at most so many times more. */
  readonly retries: number;
  /** False: it runs each time. */
  readonly cache: boolean;
  /** True: what it produced last is kept, whatever changed. */
  readonly frozen: boolean;
  /** The reason for which it may give another result of the same key. */
  readonly nondeterministic?: string;
}

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
  /** Of `uses` or `run`: what was written there. */
  readonly type?: Span;
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
  /** Of a user's own stage: its module, absolute. */
  readonly module?: string;
}

/** By name; the users' own by the absolute path of their module. */
export type StageCatalogue = ReadonlyMap<string, StageType>;

/** Why a user's own stage could not be loaded. */
export interface StageTypeProblem {
  /** Ends a sentence: `has no exported stage`. */
  readonly problem: string;
  readonly help?: string;
  /** Where in the module, or in one that it imports. */
  readonly place?: { readonly span: Span; readonly text: string };
}
