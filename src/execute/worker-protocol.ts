/** What the runner and a stage's process say to each other. Plain data, over Node's IPC channel. */
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import type { Progress } from "../contract.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { EngineSetting } from "../language/pipeline.ts";

export type ToWorker =
  | { readonly type: "run"; readonly request: WorkRequest }
  /** Finish the current step, save a checkpoint, stop. */
  | { readonly type: "abort" }
  | {
      readonly type: "reply";
      readonly call: number;
      readonly value?: ArtifactPaths;
      readonly error?: { readonly message: string; readonly help?: string };
    };

export interface WorkRequest {
  readonly stageType: string;
  /** Absolute paths of the bundles that were hashed. */
  readonly entry: string;
  readonly assets: Readonly<Record<string, string>>;
  readonly params: JsonObject;
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  /** Staging folder by output. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly engine?: {
    readonly bundle: string;
    readonly folder: string;
    readonly threads: number;
    readonly precision: EngineSetting["precision"];
    readonly convolution: EngineSetting["convolution"];
  };
  /** Where checkpoints are staged, and where scratch folders are. */
  readonly checkpointFolder: string;
  readonly scratchFolder: string;
  /** Processors this machine has. */
  readonly processors: number;
  /** It is stopped, as by Ctrl-C, in the very moment in which `done` of its progress has come to this. */
  readonly stopAt?: number;
}

export type FromWorker =
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "log"; readonly line: string }
  | { readonly type: "warn"; readonly line: string }
  | { readonly type: "measure"; readonly role: "metric" | "measurement"; readonly name: string; readonly value: number }
  | { readonly type: "find-checkpoint"; readonly call: number; readonly key: JsonValue }
  | {
      readonly type: "save-checkpoint";
      readonly call: number;
      readonly key: JsonValue;
      readonly folder: string;
      readonly passing: boolean;
    }
  | {
      readonly type: "mark-checkpoint";
      readonly call: number;
      readonly key: JsonValue;
      readonly as: "kept" | "expendable";
    }
  | { readonly type: "drop-checkpoint"; readonly call: number; readonly key: JsonValue }
  | { readonly type: "done"; readonly peakMemoryBytes: number }
  | { readonly type: "interrupted" }
  | { readonly type: "failed"; readonly message: string; readonly help?: string; readonly stack?: string };

/** What of it the user may see as it happens. */
export type WorkerNews = FromWorker & { readonly type: "progress" | "log" | "warn" | "measure" };
