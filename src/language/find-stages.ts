/** Stage names given on the command line, checked against the pipeline. */
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { Pipeline } from "./pipeline.ts";

/** The `file` of spans into stage names given on the command line; its text is all of them, one a line. */
export const STAGE_ARGUMENTS_FILE = "stage arguments";

/** A diagnostic for each name that no stage has; `text` is what their spans point into. */
export function checkStageNames(
  pipeline: Pipeline,
  names: readonly string[],
): { readonly diagnostics: readonly Diagnostic[]; readonly file: string; readonly text: string } {
  const known = pipeline.stages.map(({ name }) => name);
  const diagnostics: Diagnostic[] = [];
  let start = 0;
  for (const stage of names) {
    if (!known.includes(stage)) {
      const span = { file: STAGE_ARGUMENTS_FILE, start, end: start + stage.length };
      diagnostics.push(
        diagnose("language/unknown-stage", { stage, suggestion: closestName(stage, known), known }, span),
      );
    }
    start += stage.length + 1;
  }
  return { diagnostics, file: STAGE_ARGUMENTS_FILE, text: names.join("\n") };
}
