/**
 * Both halves of the language, and between them the user's own stages that the pipeline uses. Loads the YAML parser: what
 * is opened from the store (`kept-pipeline.ts`) does without.
 */
import { basename, join, relative } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import type { UserStages } from "../identity/user-stages.ts";
import { checkPipeline, type LoadResult } from "../language/load-pipeline.ts";
import { findUserStages, type ParsedPipeline, parsePipeline } from "../language/parse-pipeline.ts";
import type { StageTypeProblem } from "../language/pipeline.ts";
import type { PipelineSource } from "../language/source-files.ts";
import type { App } from "./app.ts";
import { NO_USER_STAGES, type PipelineSources } from "./kept-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface LoadedText {
  readonly loaded: LoadResult;
  readonly userStages: UserStages;
  /** What of the world went into it. */
  readonly sources: PipelineSources;
}

export async function loadPipelineText(
  app: App,
  source: PipelineSource,
  options: PipelineOptions,
  artifactsFolder: string,
  exists = (path: string) => app.files.stat(path) !== undefined,
): Promise<LoadedText> {
  const parsed = parsePipeline(source, {
    profiles: options.profile,
    overrides: options.param,
    ...(options.sweep === undefined ? {} : { sweep: options.sweep }),
    workingFolder: app.cwd,
    readText: (path) => (app.files.stat(path)?.kind === "file" ? app.files.readText(path) : undefined),
  });
  const userStages = await loadUserStages(app, parsed, artifactsFolder);
  const paths = new Set<string>();
  const environment = recordReads(app.environment);
  const checkOptions = {
    exists: (path: string) => {
      paths.add(path);
      return exists(path);
    },
    environment: environment.values,
    stageProblems: new Map([...userStages.problems].map(([path, problem]) => [path, showPlace(app, problem)])),
  };
  const catalogue = new Map([...app.catalogue, ...userStages.types]);
  const loaded = checkPipeline(parsed, checkOptions, catalogue);
  return {
    loaded,
    userStages,
    sources: {
      texts: textsOf(parsed),
      environment: environment.read(),
      paths: [...paths],
      modules: Object.fromEntries(userStages.digests),
    },
  };
}

/** The bundler and the user's modules are loaded only where a pipeline uses one. */
async function loadUserStages(app: App, parsed: ParsedPipeline, artifactsFolder: string): Promise<UserStages> {
  const modules = [...new Set(findUserStages(parsed).map(({ path }) => path))];
  return modules.length === 0 ? NO_USER_STAGES : app.loadUserStages(artifactsFolder, modules);
}

/** A module's path as the user would name it here. */
function showPlace({ cwd }: App, problem: StageTypeProblem): StageTypeProblem {
  const { place } = problem;
  if (place === undefined) return problem;
  return { ...problem, place: { ...place, span: { ...place.span, file: relative(cwd, place.span.file) } } };
}

/** Names that spans give the files, with their paths and digests; the pipeline's own first. */
function textsOf({ source, texts, includes }: ParsedPipeline): PipelineSources["texts"] {
  const paths = [join(source.folder, basename(source.file)), ...includes];
  const names = [...texts.keys()].slice(0, paths.length);
  return names.map((name, i) => ({ name, path: paths[i]!, digest: digestBytes(texts.get(name)!) }));
}

/** Which variables are looked at, and what they were. */
function recordReads(environment: App["environment"]) {
  const read = new Map<string, string | null>();
  const note = (name: string) => read.set(name, environment[name] ?? null);
  const values = new Proxy(environment, {
    get(target, name) {
      if (typeof name === "string") note(name);
      return Reflect.get(target, name) as string | undefined;
    },
    getOwnPropertyDescriptor(target, name) {
      if (typeof name === "string") note(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
  return { values, read: () => Object.fromEntries(read) };
}
