/** Where a difference of keys comes from: the line that sets a param, what an input reads. */
import { createLineTable, positionAt } from "../diagnostics/code-frame.ts";
import type { Span } from "../diagnostics/span.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { VALUE_FILES } from "../language/pseudo-files.ts";

/** Where the user wrote what differs, or the nearest thing to it; undefined where it is in no pipeline's text. */
export function spanOf({ spans, command }: PipelineStage, { part, name }: KeyDifference): Span | undefined {
  switch (part) {
    case "input":
      return spans.inputs[name];
    case "numerics":
      return spans.engineSettings?.[name === "engine" ? "name" : name];
    case "command":
      return command?.references?.[name]?.span ?? spans.type;
    case "tool":
    case "stageType":
      return spans.type;
    case "param":
      // The value itself, or the nearest part of it that was written.
      for (let path = name; path !== ""; path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "") {
        const span = spans.params[path];
        if (span !== undefined) return span;
      }
      return undefined;
    default:
      return undefined;
  }
}

/** `texts` are what the spans point into, by file. */
export function originOf(
  stage: PipelineStage,
  difference: KeyDifference,
  texts: ReadonlyMap<string, string>,
): string | undefined {
  if (difference.part === "input") {
    const source = stage.inputs[difference.name];
    if (source === undefined) return undefined;
    return source.from === "stage" ? `${source.stage}.${source.output}` : source.text;
  }
  return lineOf(spanOf(stage, difference), texts);
}

function lineOf(span: Span | undefined, texts: ReadonlyMap<string, string>): string | undefined {
  if (span === undefined) return undefined;
  // The command line has no lines to count.
  if (VALUE_FILES.includes(span.file)) return span.file;
  const text = texts.get(span.file);
  return text === undefined ? span.file : `${span.file}:${positionAt(createLineTable(text), span.start).line}`;
}
