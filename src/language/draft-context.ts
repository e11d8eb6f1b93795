/** What a stage is drafted with: what it may refer to, and where what it names lies. */
import type { Span } from "../diagnostics/span.ts";
import type { Environment } from "./environment.ts";
import type { LocatedEntry } from "./located.ts";
import type { StageCatalogue, StageTypeProblem } from "./pipeline.ts";
import type { FindStageType } from "./pipeline-shape.ts";
import type { Resolve } from "./variables.ts";

export interface DraftContext {
  readonly catalogue: StageCatalogue;
  readonly findType: FindStageType;
  /** Why modules of the user's own could not be loaded, by absolute path. */
  readonly stageProblems: ReadonlyMap<string, StageTypeProblem>;
  /** Resolves what this instance can refer to. */
  readonly resolve: Resolve;
  /** Resolves what the whole pipeline can refer to. */
  readonly resolveOutside: Resolve;
  /** What the stage may see of the environment. */
  readonly environment: Environment;
  /** Of the pipeline's file. */
  readonly folder: string;
  /** Where a relative path that was written there starts. */
  folderOf(span: Span): string;
  /** What spans with that file point into. */
  textOf(file: string): string;
  readonly exists?: (path: string) => boolean;
  /** Of the whole pipeline. */
  readonly engine: LocatedEntry | undefined;
}
