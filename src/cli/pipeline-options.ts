/** The options of every command that takes a pipeline. */
export interface PipelineOptions {
  readonly profile: readonly string[];
  readonly param: readonly string[];
  readonly artifacts?: string;
}
