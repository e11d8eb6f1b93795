/** `pipe check`: everything that can be known to be wrong with pipelines before a run, for people and for editors. */
import { dirname, join, relative, resolve } from "node:path";
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
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
  /** `20%`: which share of what is locked is to be made again and compared; frozen then. */
  readonly rebuild?: string;
  readonly seed?: string;
}

export async function checkCommand(app: App, words: readonly string[], options: CheckOptions): Promise<ExitCode> {
  const files = words.length === 0 ? pipelineFiles(app) : words.map((word) => named(app, word));
  if (files.length === 0)
    throw new UsageError("there is no pipeline here", "name a pipeline file, or start one with: pipe init");
  const { rebuild: share, seed, ...rest } = options;
  if (options.frozen || options.attestation !== undefined || share !== undefined) {
    const { checkFrozen } = await import("./check-frozen.ts");
    const rebuild =
      share === undefined && seed === undefined
        ? undefined
        : (await import("./random-sample.ts")).readSample(app, "--rebuild", share, seed);
    const frozen = { ...rest, ...(rebuild === undefined ? {} : { rebuild }) };
    return checkFrozen(app, [...new Set(files)], frozen, words.length > 0);
  }
  if (seed !== undefined) throw new UsageError("--seed chooses what is rebuilt", "as in: --rebuild 20% --seed 7");
  const placed = new Map<string, PlacedDiagnostic>();
  let unwaived = 0;
  for (const file of new Set(files)) {
    const checked = await checkFile(app, file, options);
    const { texts, pipeline } = checked;
    const nondeterministic = pipeline === undefined ? [] : await findNondeterministic(app, file, pipeline, options);
    unwaived += nondeterministic.length;
    const diagnostics = [...checked.diagnostics, ...nondeterministic];
    // A file that several pipelines include is told once.
    for (const one of placeDiagnostics(diagnostics, texts)) placed.set(JSON.stringify(one), one);
    if (options.json) continue;
    if (diagnostics.length > 0) app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
    if (pipeline !== undefined && nondeterministic.length === 0)
      app.out.write(`${file} is right: ${countOf(pipeline)}\n`);
  }
  if (options.json) app.out.write(`[${[...placed.keys()].map((text) => `\n${text}`).join(",")}\n]\n`);
  const errors = [...placed.values()].filter(({ severity }) => severity === "error").length;
  return errors === 0 ? 0 : errors <= unwaived ? 4 : 2;
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

/** Stages whose last result is in the ledger, and that have no reason to be. */
async function findNondeterministic(
  app: App,
  file: string,
  pipeline: Pipeline,
  options: PipelineOptions,
): Promise<readonly Diagnostic[]> {
  const folder =
    options.artifacts === undefined
      ? findArtifactsFolder(app, resolve(app.cwd, file))
      : resolve(app.cwd, options.artifacts);
  // A check makes no store where there is none.
  if (app.files.list(join(folder, ".store", "ledger")).length === 0) return [];
  const { readLastRun } = await import("../execute/last-run.ts");
  const workspace = await app.openWorkspace(folder, { paranoid: false, needsCode: false });
  const last = readLastRun(workspace, pipeline)?.stages ?? {};
  return pipeline.stages.flatMap(({ name, execution, spans }) => {
    const fingerprint = last[name];
    if (execution.nondeterministic !== undefined || fingerprint === undefined) return [];
    if (workspace.ledger.find(fingerprint).length === 0) return [];
    return [diagnose("ledger/nondeterministic", { stage: name, verify: `pipe verify ${file} ${name}` }, spans.name)];
  });
}

function countOf({ stages }: Pipeline): string {
  const inFile = new Set(stages.map(({ name, instance }) => instance?.of ?? name)).size;
  const words = `${inFile} ${inFile === 1 ? "stage" : "stages"}`;
  return inFile === stages.length ? words : `${words}, ${stages.length} with every instance`;
}
