/** From what the user typed to a checked pipeline: find the file, read it, and stop with diagnostics if it is wrong. */
import { basename, dirname, join, relative, resolve } from "node:path";
import { buildStageGraph, type StageGraph, selectStages } from "../graph/stage-graph.ts";
import { digestBytes } from "../identity/digest.ts";
import type { UserStages } from "../identity/user-stages.ts";
import type { LoadResult } from "../language/load-pipeline.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { PipelineSource } from "../language/source-files.ts";
import { type App, UsageError } from "./app.ts";
import { openKeptPipelines, sealPipeline } from "./kept-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";
import { findStages } from "./stage-names.ts";

export interface OpenedPipeline {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  /** Absolute. */
  readonly artifactsFolder: string;
  /** Those that the pipeline uses. */
  readonly userStages: UserStages;
  /** What is left of the words after the pipeline: stage names. */
  readonly stageNames: readonly string[];
  /** Those stages and all they need, or every stage, in the order they would run. */
  readonly selected: readonly string[];
  /** What spans point into. */
  readonly texts: ReadonlyMap<string, string>;
  /** Equal of two commands: the same build made the same pipeline of the same sources. Absent where it was criticised. */
  readonly identity?: string;
  /** Keeps it for the next command, where that could not be done yet: a first run makes the store. */
  readonly keep: () => void;
  /** How the user would name this pipeline and profile again: ` pipelines/x.yaml --profile quick`. */
  readonly commandSuffix: string;
}

/** Undefined when the pipeline is wrong; its diagnostics were written and the exit code is 2. */
export async function openPipeline(
  app: App,
  words: readonly string[],
  options: PipelineOptions,
): Promise<OpenedPipeline | undefined> {
  const { file, rest } = findPipelineFile(app, words);
  const absolute = resolve(app.cwd, file);
  if (app.files.stat(absolute)?.kind === "folder")
    throw new UsageError(`${file} is a folder, not a pipeline file`, listPipelines(app));
  const text = app.files.readText(absolute);
  if (text === undefined) throw new UsageError(`there is no pipeline file ${file}`, listPipelines(app));
  const shown = relative(app.cwd, absolute) || file;
  const artifactsFolder =
    options.artifacts === undefined ? findArtifactsFolder(app, absolute) : resolve(app.cwd, options.artifacts);
  const source = { file: shown, folder: dirname(absolute), text };
  const { loaded, userStages, digest, keep } = await readPipeline(app, source, options, artifactsFolder);
  if (loaded.diagnostics.length > 0) {
    const { renderDiagnostics } = await import("../diagnostics/render-diagnostic.ts");
    app.err.write(renderDiagnostics(loaded.diagnostics, loaded.texts, { color: app.err.color }));
  }
  if (loaded.pipeline === undefined) return undefined;
  const { pipeline } = loaded;
  const stageNames = [...new Set(rest.flatMap((word) => findStages(pipeline, word)))];
  const graph = buildStageGraph(pipeline);
  const artifactsKind = app.files.stat(app.files.resolveLink(artifactsFolder))?.kind;
  if (artifactsKind !== undefined && artifactsKind !== "folder")
    throw new UsageError(
      `${artifactsFolder} is not a folder`,
      "results go into a folder: --artifacts names another one",
    );
  return {
    pipeline,
    graph,
    selected: (stageNames.length === 0 ? graph : selectStages(graph, stageNames)).order,
    artifactsFolder,
    userStages,
    stageNames,
    texts: loaded.texts,
    ...(digest === undefined ? {} : { identity: digestBytes(`${app.build}\n${digest}`) }),
    keep,
    commandSuffix: [
      ` ${quoteWord(shown)}`,
      ...options.profile.map((name) => `--profile ${quoteWord(name)}`),
      ...options.param.map((param) => `--param ${quoteWord(param)}`),
      ...(options.artifacts === undefined ? [] : [`--artifacts ${quoteWord(options.artifacts)}`]),
    ].join(" "),
  };
}

/** Whether a stage is anything but a command. */
export function needsCode({ stages }: Pipeline): boolean {
  return stages.some(({ command }) => command === undefined);
}

interface ReadPipeline {
  readonly loaded: LoadResult;
  readonly userStages: UserStages;
  readonly digest?: string;
  readonly keep: () => void;
}

/** From the store where nothing that it was made of has changed, else from its text. */
async function readPipeline(
  app: App,
  source: PipelineSource,
  options: PipelineOptions,
  artifactsFolder: string,
): Promise<ReadPipeline> {
  const { text, ...place } = source;
  const question = {
    source: place,
    profiles: options.profile,
    overrides: options.param,
    ...(options.sweep === undefined ? {} : { sweep: options.sweep }),
    workingFolder: app.cwd,
    build: app.build,
  };
  const kept = openKeptPipelines(app.files, join(artifactsFolder, ".store"), app.unique);
  const found = await kept.find(question, app.environment, (modules) => app.loadUserStages(artifactsFolder, modules));
  if (found !== undefined) {
    const { pipeline, texts, userStages, digest } = found;
    return { loaded: { pipeline, diagnostics: [], texts }, userStages, digest, keep: () => {} };
  }
  const { loadPipelineText } = await import("./load-pipeline-text.ts");
  const { loaded, userStages, sources } = await loadPipelineText(app, source, options, artifactsFolder);
  if (loaded.pipeline === undefined || loaded.diagnostics.length > 0) return { loaded, userStages, keep: () => {} };
  const sealed = sealPipeline(sources, loaded.pipeline);
  const isKept = kept.keep(question, sealed);
  const keep = () => void (isKept || kept.keep(question, sealed));
  return { loaded, userStages, digest: sealed.digest, keep };
}

const PIPELINE_FILE = /\.ya?ml$/;

/** A word that names a file, or a pipeline in `pipelines/`; without one, the only pipeline there is. */
export function findPipelineFile(
  app: App,
  words: readonly string[],
): { readonly file: string; readonly rest: readonly string[] } {
  const file = words.find((word) => PIPELINE_FILE.test(word));
  if (file !== undefined) return { file, rest: words.filter((word) => word !== file) };
  const [first, ...rest] = words;
  if (first !== undefined) {
    const named = join("pipelines", `${first}.yaml`);
    if (app.files.stat(resolve(app.cwd, named)) !== undefined) return { file: named, rest };
  }
  const found = pipelineFiles(app);
  if (found.length === 1) return { file: found[0]!, rest: words };
  if (found.length === 0)
    throw new UsageError("there is no pipeline here", "name a pipeline file, or start one with: pipe init");
  throw new UsageError(first === undefined ? "which pipeline?" : `there is no pipeline "${first}"`, listPipelines(app));
}

/** Whether a word names a pipeline rather than a stage. */
export function namesPipeline(app: App, word: string): boolean {
  return PIPELINE_FILE.test(word) || app.files.stat(resolve(app.cwd, "pipelines", `${word}.yaml`)) !== undefined;
}

/** Relative to the working folder. */
export function pipelineFiles(app: App): readonly string[] {
  return app.files
    .list(join(app.cwd, "pipelines"))
    .filter((name) => /\.ya?ml$/.test(name) && !/\.(template|lock)\.ya?ml$/.test(name))
    .map((name) => join("pipelines", name));
}

function listPipelines(app: App): string {
  const found = pipelineFiles(app);
  return found.length === 0 ? "start one with: pipe init" : `there are: ${found.join(", ")}`;
}

/** `artifacts/` beside the nearest package.json or .git above the pipeline, so that it is one place from every folder. */
export function findArtifactsFolder(app: App, pipelineFile: string): string {
  for (let folder = dirname(pipelineFile); ; folder = dirname(folder)) {
    const marks = ["artifacts", ".git", "package.json"].some(
      (name) => app.files.stat(join(folder, name)) !== undefined,
    );
    if (marks && basename(folder) !== "pipelines") return join(folder, "artifacts");
    if (dirname(folder) === folder) return join(dirname(pipelineFile), "artifacts");
  }
}
