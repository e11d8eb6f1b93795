/** What `pipe verify` found out about each stage: plain data, which `--json` prints and `report` puts into words. */
import type { FailureRecord } from "../record.ts";
import type { ArtifactDifference, JsonDifference } from "./artifact-difference.ts";

export interface Verification {
  readonly pipeline: string;
  readonly profiles: readonly string[];
  /** Only a part was to be verified: which, follows from the seed. */
  readonly sample?: { readonly share: number; readonly seed: number };
  readonly stages: readonly StageVerification[];
}

export type StageVerification = VerifiedStage & StageVerdict;

export interface VerifiedStage {
  readonly stage: string;
  readonly stageType: string;
  /** Of the result that was verified; absent where there is none. */
  readonly fingerprint?: string;
  /** The run that made it. */
  readonly runId?: string;
}

export type StageVerdict =
  | ({ readonly verdict: "identical" } & Replayed)
  | ({ readonly verdict: "differs" } & Replayed & Differences)
  | { readonly verdict: "failed"; readonly failure: FailureRecord }
  /** It could not be run again as it was. */
  | { readonly verdict: "unchecked"; readonly reason: string; readonly help?: string }
  | { readonly verdict: "interrupted" }
  /** Not in the sample. */
  | { readonly verdict: "left-out" };

export interface Replayed {
  readonly artifacts: number;
  readonly durationMs: number;
  /** Made on another kind of machine, where other bits are no fault: equal ones are promised within a class. */
  readonly madeOn?: { readonly recorded: string; readonly here: string };
  /** Only this part of it was run again, from the checkpoint of the part before: of the first one from the beginning. */
  readonly stretch?: { readonly name: string; readonly after?: string };
  /** It was run by the code that made it, which the store has kept and which is another one by now. */
  readonly earlierCode?: true;
  /** Why it was run whole although a part of it was asked for. */
  readonly whole?: string;
}

export interface Differences {
  readonly differences: readonly ArtifactDifference[];
  /** Headline metrics that are not what they were. */
  readonly metrics?: JsonDifference;
  /** The reason for which the pipeline lets it differ. */
  readonly waived?: string;
}
