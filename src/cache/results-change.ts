/**
 * What a pipeline made beside what it had made before, as plain data: of each stage what became of it and why, metrics,
 * pictures of charts. A side is a run, or what is locked. `pipe report --md` puts it into words.
 *
 * Stays true: it holds no time, no path of a machine and no value of a listed variable, so it can be published.
 */
import type { StageOutcome } from "../record.ts";
import type { MetricChange } from "./compare-runs.ts";

export interface ResultsChange {
  readonly pipeline: string;
  readonly profiles: readonly string[];
  readonly after: ResultsName;
  /** Absent: there is nothing to compare with. */
  readonly before?: ResultsName;
  /** In the order they run; those that are gone last. */
  readonly stages: readonly StageResultChange[];
  /** Where what changed begins: what the user did, and in which stage. */
  readonly causes: readonly ResultCause[];
  /** Also those that are equal. */
  readonly metrics: readonly MetricChange[];
  readonly charts: readonly ChartChange[];
  /** Of a lock: what no longer follows from the files here, at the line that says so. */
  readonly outdated: readonly PlacedText[];
  /** Of a lock: what was taken from it instead of being looked at. Whole clauses. */
  readonly unchecked: readonly string[];
  readonly notes: readonly string[];
}

/** Without a name it is the last run. `isElsewhere`: the lock in another checkout. */
export type ResultsName =
  | { readonly what: "run"; readonly name?: string }
  | { readonly what: "lock"; readonly file: string; readonly isElsewhere?: true };

export interface StageResultChange {
  readonly stage: string;
  /** Absent where the pipeline has it no more. */
  readonly state?: StageState;
  /** Absent where there is nothing to compare with. `unknown`: it has no result. */
  readonly result?: "same" | "other" | "new" | "gone" | "unknown";
  /** Why it changed, else why it is in this state. In one clause each. */
  readonly reasons: readonly string[];
}

/**
 * Of a run what became of the stage in it; `earlier`: it was no part of the run, and an earlier one made it. Of a lock
 * whether it follows from the files here; `behind`: that is known once another stage has run.
 */
export type StageState = StageOutcome | "earlier" | "follows" | "outdated" | "behind";

export interface ResultCause {
  readonly stage: string;
  readonly text: string;
}

export interface ChartChange {
  readonly stage: string;
  readonly name: string;
  /** Absent where that side has no such chart, or the store no picture of it. */
  readonly before?: ChartPicture;
  readonly after?: ChartPicture;
  readonly isSame: boolean;
}

export interface ChartPicture {
  /** Digest of the artifact, and the file's path in it. */
  readonly artifact: string;
  readonly path: string;
  /** What it is called beside a report: by its content, so that equal pictures are one file. */
  readonly file: string;
}

export interface PlacedText {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}
