/** The options of every command that takes a pipeline. */
import type { SweepWords } from "../language/sweep-words.ts";

export interface PipelineOptions {
  readonly profile: readonly string[];
  readonly param: readonly string[];
  readonly artifacts?: string;
  /** Params to vary: a sweep. */
  readonly sweep?: SweepWords;
}
