/** Loads a pipeline text against the fixture catalogue. */
import { expect } from "vitest";
import { renderDiagnostics } from "../../src/diagnostics/render-diagnostic.ts";
import type { Span } from "../../src/diagnostics/span.ts";
import { type LoadOptions, type LoadResult, loadPipeline } from "../../src/language/load-pipeline.ts";
import type { Pipeline } from "../../src/language/pipeline.ts";
import { fixtureCatalogue } from "./fixture-catalogue.ts";

export function load(text: string, options: Partial<LoadOptions> = {}): LoadResult {
  return loadPipeline(
    { file: "p.yaml", folder: "/project/pipelines", text },
    { profiles: [], overrides: [], workingFolder: "/project", ...options },
    fixtureCatalogue,
  );
}

/** The pipeline of a text that must be right. */
export function loadSound(text: string, options: Partial<LoadOptions> = {}): Pipeline {
  const result = load(text, options);
  expect(
    result.pipeline === undefined ? renderDiagnostics(result.diagnostics, result.texts, { color: false }) : "",
  ).toBe("");
  return result.pipeline!;
}

/** `code "marked text"` of each diagnostic, in the order reported. */
export function problems(text: string, options: Partial<LoadOptions> = {}): string[] {
  const { diagnostics, texts } = load(text, options);
  return diagnostics.map(
    ({ code, span }) => `${code.slice("language/".length)} ${JSON.stringify(marked(span, texts))}`,
  );
}

export function marked({ file, start, end }: Span, texts: ReadonlyMap<string, string>): string {
  return texts.get(file)!.slice(start, end);
}

export const paramsOf = (pipeline: Pipeline, stage: string) =>
  pipeline.stages.find(({ name }) => name === stage)!.params;
