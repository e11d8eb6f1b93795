/** What is kept about a plan and a run: plain data that `show`, `why`, `status` and the report read. */
import type { Facts } from "./contract.ts";
import type { JsonObject } from "./json.ts";

/**
 * `fresh`: a trace exists and the visible outputs match it. `restore`: a trace exists, the visible outputs do not match.
 * `run`: no trace. `pending`: depends on what an upstream stage will produce.
 */
export type StageDecision = "fresh" | "restore" | "run" | "pending";

export interface PlannedStage {
  readonly stage: string;
  readonly stageType: string;
  readonly decision: StageDecision;
  /** Why, in one clause: `learningRate 0.1 -> 0.05`, `never run`, `normalize will run`. */
  readonly reason: string;
  /** Absent while pending. */
  readonly fingerprint?: string;
  /** Stages whose outputs this one reads, or that it comes after. */
  readonly needs: readonly string[];
  /** From the last execution of this stage of the pipeline, where there was one. */
  readonly expectedMs?: number;
  /** The largest part of the run's processors, memory or GPUs that it takes while it runs, up to 1. */
  readonly share?: number;
  /** Where the stage computes: what it will compute on. */
  readonly engine?: EngineRecord;
  /** It is kept as it is, whatever changed. */
  readonly frozen?: true;
  readonly nondeterminism?: Nondeterminism;
}

/** A result that is not, or is built upon one that is not, a function of its key: the ledger knows a key that gave two. */
export interface Nondeterminism {
  /** Those stages: the stage itself, or what it reads, link by link. */
  readonly stages: readonly string[];
  /** Of the stage itself: the reason for which the pipeline lets it be so. */
  readonly waived?: string;
}

/** `ran`: executed. `failed`: executed and failed. `skipped`: something it needs failed. `interrupted`: stopped by the user. */
export type StageOutcome = "fresh" | "restored" | "ran" | "failed" | "skipped" | "interrupted";

export interface OutputRecord {
  readonly kind: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly facts: Facts;
}

export interface FailureRecord {
  readonly message: string;
  readonly help?: string;
  /** Where our own code threw; absent when the message says it all. */
  readonly stack?: string;
  /** The last lines the stage's process wrote. */
  readonly lastOutput: readonly string[];
}

export interface StageRecord {
  readonly stage: string;
  readonly stageType: string;
  readonly needs: readonly string[];
  readonly outcome: StageOutcome;
  readonly reason: string;
  readonly fingerprint?: string;
  /** Of the execution that made the outputs: now, or when the trace was made. */
  readonly durationMs: number;
  readonly params: JsonObject;
  readonly outputs: Readonly<Record<string, OutputRecord>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly measurements: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly engine?: EngineRecord;
  readonly failure?: FailureRecord;
  readonly nondeterminism?: Nondeterminism;
}

export interface EngineRecord {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  readonly precision: string;
  /** How 3 x 3 convolutions are computed. Records of before there was a choice have none. */
  readonly convolution?: string;
}

export interface RunRecord {
  readonly format: "tfpipe/run/1";
  readonly id: string;
  /** What the user called it. Given twice, it means the newer run. */
  readonly name?: string;
  readonly pipeline: string;
  readonly profiles: readonly string[];
  readonly params: JsonObject;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly exitCode: number;
  readonly stages: readonly StageRecord[];
  readonly environment: EnvironmentRecord;
  /** Of a run that had nothing to do: the run that made what is there. Its own `stages` is then empty. */
  readonly sameAs?: string;
  /** Of a sweep: what it tried, and how that came out. */
  readonly sweep?: SweepRecord;
}

export interface SweepRecord {
  /** What was varied: axes of the pipeline's matrix, where it has one, then params by dotted name. */
  readonly params: readonly string[];
  /** What random values were drawn from; absent where none were. */
  readonly seed?: number;
  /** What trials are judged by: `evaluate.testAccuracy`. Absent where nobody said. */
  readonly objective?: { readonly metric: string; readonly mode: "max" | "min" };
  /** In the order in which they were asked for. */
  readonly trials: readonly TrialRecord[];
}

export interface TrialRecord {
  /** `learningRate=0.1,seed=2`: its stages are called so behind their `@`. */
  readonly name: string;
  readonly values: JsonObject;
  /** `failed`: a stage of it failed, or one that it needs. */
  readonly state: "done" | "failed" | "interrupted";
  /** Its own instances. What it has in common with all trials is not among them. */
  readonly stages: readonly string[];
  /** Of its stages, by `evaluate.testAccuracy`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of its trainings: those that were executed for it in this run, and all that their results have. Absent where it has none. */
  readonly epochsTrained?: number;
  readonly epochs?: number;
  /** `train: the loss is NaN`. */
  readonly failure?: string;
}

export interface EnvironmentRecord {
  readonly tfpipe: string;
  readonly node: string;
  readonly platform: string;
  readonly architecture: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}
