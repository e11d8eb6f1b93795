/**
 * Things that happened during a run: plain data, a closed union. The executor emits them, reporters read them, and
 * `--json` prints one a line. Nothing here is text laid out for a person.
 */
import type { Progress } from "./contract.ts";
import type { JsonObject } from "./json.ts";
import type { FailureRecord, PlannedStage, RunRecord, StageRecord } from "./record.ts";

export type RunEvent =
  | RunStarted
  | StageStarted
  | StageProgressed
  | StageLogged
  | StageWarned
  | StageMeasured
  | StageWaiting
  | StageRetrying
  | StageFinished
  | Warned
  | RunInterrupted
  | RunFinished;

interface EventBase {
  /** Milliseconds since the run began. */
  readonly atMs: number;
}

export interface RunStarted extends EventBase {
  readonly type: "run-started";
  readonly runId: string;
  readonly pipeline: string;
  readonly profiles: readonly string[];
  readonly params: JsonObject;
  readonly stages: readonly PlannedStage[];
}

/** A stage's inputs are known and it was decided to execute it. */
export interface StageStarted extends EventBase {
  readonly type: "stage-started";
  readonly stage: string;
  readonly stageType: string;
  readonly fingerprint: string;
  readonly reason: string;
  /** From the second on. */
  readonly attempt?: number;
}

export interface StageProgressed extends EventBase {
  readonly type: "stage-progressed";
  readonly stage: string;
  readonly progress: Progress;
}

export interface StageLogged extends EventBase {
  readonly type: "stage-logged";
  readonly stage: string;
  /** `log` is the stage's own; `stdout` and `stderr` were caught from its process. */
  readonly stream: "log" | "stdout" | "stderr";
  readonly line: string;
}

export interface StageWarned extends EventBase {
  readonly type: "stage-warned";
  readonly stage: string;
  readonly line: string;
}

export interface StageMeasured extends EventBase {
  readonly type: "stage-measured";
  readonly stage: string;
  readonly name: string;
  readonly value: number;
  /** A metric is a result; a measurement is about this execution. */
  readonly role: "metric" | "measurement";
}

/**
 * Another process holds this stage's fingerprint, and its trace will be taken when it is done; or another stage, here or
 * there, makes the checkpoint that this one would make next, and this one will go on from it.
 */
export interface StageWaiting extends EventBase {
  readonly type: "stage-waiting";
  readonly stage: string;
  readonly holder: string;
}

/** An attempt failed, and another one begins after a pause. */
export interface StageRetrying extends EventBase {
  readonly type: "stage-retrying";
  readonly stage: string;
  /** The one that failed, from 1 on. */
  readonly attempt: number;
  /** How many there may be. */
  readonly attempts: number;
  readonly failure: FailureRecord;
  readonly pauseMs: number;
}

export interface StageFinished extends EventBase {
  readonly type: "stage-finished";
  readonly stage: string;
  readonly record: StageRecord;
}

/** About the run or the cache as a whole, such as a corrupt object found on restoring. */
export interface Warned extends EventBase {
  readonly type: "warned";
  readonly message: string;
  readonly help?: string;
}

export interface RunInterrupted extends EventBase {
  readonly type: "run-interrupted";
}

export interface RunFinished extends EventBase {
  readonly type: "run-finished";
  readonly record: RunRecord;
}

export type EmitEvent = (event: RunEvent) => void;
