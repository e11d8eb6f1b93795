/**
 * Why a stage runs, or does not: the difference of its key from another one, and of every input that a stage made, why
 * that stage gives something else. A tree of plain data: `why` prints it as a chain, `why --json` as it is.
 */
import type { StageDecision } from "../record.ts";
import type { KeyDifference } from "./key-manifest.ts";

export interface Explanation {
  readonly stage: string;
  readonly stageType: string;
  readonly decision: StageDecision;
  /** In one clause, down to the root cause. */
  readonly reason: string;
  /** It is kept as it is whatever changed. */
  readonly frozen?: true;
  /** What its key was compared with. Absent where there is nothing to compare with: then `incomparable` says why. */
  readonly against?: ComparedKey;
  readonly incomparable?: string;
  /** Empty where the keys are equal. */
  readonly differences: readonly ExplainedDifference[];
  /** Explained further up already: an input that reaches it by two ways. Its differences stand there. */
  readonly repeated?: true;
  /** Too many stages up the chain to go on: its differences are left out. The root causes are named all the same. */
  readonly cut?: true;
}

export interface ComparedKey {
  readonly pipeline: string;
  readonly profiles: readonly string[];
  /** The run that made the outputs; absent where the key is one that has not run. */
  readonly runId?: string;
  /** What the user called that run. */
  readonly runName?: string;
  /** ISO 8601, UTC. */
  readonly madeAt?: string;
}

export interface ExplainedDifference extends KeyDifference {
  /**
   * Of a param or an engine's setting the place that says so (`pipelines/x.yaml:31`), of an input what it reads, of a
   * source file what it is bundled into (`the stage, its loader`, `engine wasm`).
   */
  readonly origin?: string;
  /** Of an input: what makes it has yet to run, so whether it changes is not known. `after` is then absent. */
  readonly undecided?: true;
  /** Of an input that a stage makes: why it gives another result. */
  readonly because?: readonly Explanation[];
}

/** The leaves of an explanation: what the user did, and in which stage. */
export interface RootCause {
  readonly stage: string;
  /** Absent where it is no difference of keys that makes the stage run, but what `text` says. */
  readonly difference?: ExplainedDifference;
  readonly text: string;
}
