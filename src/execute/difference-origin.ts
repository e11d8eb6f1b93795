/** Where a difference of keys comes from: the line that sets a param, what an input reads. */
import { createLineTable, positionAt } from "../diagnostics/code-frame.ts";
import type { Span } from "../diagnostics/span.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { OVERRIDES_FILE } from "../language/pseudo-files.ts";

/** `texts` are what the spans point into, by file. */
export function originOf(
  stage: PipelineStage,
  { part, name }: KeyDifference,
  texts: ReadonlyMap<string, string>,
): string | undefined {
  const { spans } = stage;
  switch (part) {
    case "input": {
      const source = stage.inputs[name];
      if (source === undefined) return undefined;
      return source.from === "stage" ? `${source.stage}.${source.output}` : source.text;
    }
    case "numerics":
      return lineOf(spans.engineSettings?.[name === "engine" ? "name" : name], texts);
    case "command":
      return lineOf(stage.command?.references?.[name]?.span ?? spans.type, texts);
    case "tool":
    case "stageType":
      return lineOf(spans.type, texts);
    case "param":
      // The value itself, or the nearest part of it that was written.
      for (let path = name; path !== ""; path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "") {
        const span = spans.params[path];
        if (span !== undefined) return lineOf(span, texts);
      }
      return undefined;
    default:
      return undefined;
  }
}

function lineOf(span: Span | undefined, texts: ReadonlyMap<string, string>): string | undefined {
  if (span === undefined) return undefined;
  // The command line has no lines to count.
  if (span.file === OVERRIDES_FILE) return span.file;
  const text = texts.get(span.file);
  return text === undefined ? span.file : `${span.file}:${positionAt(createLineTable(text), span.start).line}`;
}
