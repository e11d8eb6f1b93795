/** `pipe check`: everything that can be known to be wrong with pipelines before a run, for people and for editors. */
import { dirname, relative, resolve } from "node:path";
import { type PlacedDiagnostic, placeDiagnostics } from "../diagnostics/place-diagnostic.ts";
import { renderDiagnostics } from "../diagnostics/render-diagnostic.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { loadPipelineText } from "./load-pipeline-text.ts";
import { findArtifactsFolder, findPipelineFile, pipelineFiles } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { findUnsupported } from "./unsupported-settings.ts";

export interface CheckOptions extends PipelineOptions {
  readonly json: boolean;
  /** Whether what is locked still follows. */
  readonly frozen: boolean;
  /** A signed statement that must be of the lock; frozen then. */
  readonly attestation?: string;
}

export async function checkCommand(app: App, words: readonly string[], options: CheckOptions): Promise<ExitCode> {
  const files = words.length === 0 ? pipelineFiles(app) : words.map((word) => named(app, word));
  if (files.length === 0)
    throw new UsageError("there is no pipeline here", "name a pipeline file, or start one with: pipe init");
  if (options.frozen || options.attestation !== undefined) {
    const { checkFrozen } = await import("./check-frozen.ts");
    return checkFrozen(app, [...new Set(files)], options, words.length > 0);
  }
  const placed = new Map<string, PlacedDiagnostic>();
  for (const file of new Set(files)) {
    const { diagnostics, texts, pipeline } = await checkFile(app, file, options);
    // A file that several pipelines include is told once.
    for (const one of placeDiagnostics(diagnostics, texts)) placed.set(JSON.stringify(one), one);
    if (options.json) continue;
    if (diagnostics.length > 0) app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
    if (pipeline !== undefined) app.out.write(`${file} is right: ${countOf(pipeline)}\n`);
  }
  if (options.json) app.out.write(`[${[...placed.keys()].map((text) => `\n${text}`).join(",")}\n]\n`);
  return [...placed.values()].some(({ severity }) => severity === "error") ? 2 : 0;
}

function named(app: App, word: string): string {
  const { file, rest } = findPipelineFile(app, [word]);
  if (rest.length > 0)
    throw new UsageError(`there is no pipeline "${word}"`, `there are: ${pipelineFiles(app).join(", ")}`);
  return file;
}

/** The pipeline where nothing is wrong with it. */
async function checkFile(app: App, file: string, options: PipelineOptions) {
  const absolute = resolve(app.cwd, file);
  const text = app.files.stat(absolute)?.kind === "file" ? app.files.readText(absolute) : undefined;
  if (text === undefined) throw new UsageError(`there is no pipeline file ${file}`);
  const source = { file: relative(app.cwd, absolute) || file, folder: dirname(absolute), text };
  const { loaded } = await loadPipelineText(app, source, options, findArtifactsFolder(app, absolute));
  if (loaded.pipeline === undefined) return loaded;
  const unsupported = findUnsupported(app, loaded.pipeline);
  const { texts, pipeline } = loaded;
  return {
    diagnostics: [...loaded.diagnostics, ...unsupported],
    texts,
    ...(unsupported.length > 0 ? {} : { pipeline }),
  };
}

function countOf({ stages }: Pipeline): string {
  const inFile = new Set(stages.map(({ name, instance }) => instance?.of ?? name)).size;
  const words = `${inFile} ${inFile === 1 ? "stage" : "stages"}`;
  return inFile === stages.length ? words : `${words}, ${stages.length} with every instance`;
}
