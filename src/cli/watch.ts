/** `pipe watch`: a run, and another one whenever a file is saved that the pipeline depends on. Ctrl-C ends it. */
import { dirname, join, relative, resolve } from "node:path";
import { findUserStages, parsePipeline } from "../language/parse-pipeline.ts";
import { waitFor } from "../platform/wait-for.ts";
import { watchPaths } from "../platform/watch-paths.ts";
import { formatPlural } from "../report/format-count.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { findPipelineFile, type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import { type RunOptions, runPipeline } from "./run.ts";
import { type WatchRound, watchLoop } from "./watch-loop.ts";

/** So many changed files are named. */
const SHOWN = 3;

export async function watchCommand(app: App, words: readonly string[], options: RunOptions): Promise<ExitCode> {
  app.interrupts.listen();
  let watched: readonly string[] = [];
  const show = (paths: readonly string[]) => {
    const names = paths.slice(0, SHOWN).map((path) => relative(app.cwd, path));
    return paths.length > SHOWN ? `${names.join(", ")} and ${paths.length - SHOWN} more` : names.join(", ");
  };
  return watchLoop({
    async open() {
      const round = await openRound(app, words, options, watched);
      watched = round.watched;
      return round;
    },
    watch: (paths, onChange) =>
      watchPaths({
        paths,
        onChange,
        onUnwatchable: (folder, why) =>
          app.err.write(`warning: ${relative(app.cwd, folder)} cannot be watched: ${why}\n`),
      }),
    wait: waitFor,
    stop: app.interrupts.stop,
    onIdle: (paths) => app.err.write(`watching ${formatPlural(paths.length, "path")} (Ctrl-C ends)\n`),
    onChanged: (paths) => app.err.write(`\nsaved: ${show(paths)}\n`),
  });
}

/** What is wrong with the pipeline is told, and mended by the next save; `before` is what was watched until now. */
async function openRound(
  app: App,
  words: readonly string[],
  options: RunOptions,
  before: readonly string[],
): Promise<WatchRound> {
  const sources = sourcesOf(app, words, options);
  const refused = (): WatchRound => ({ watched: [...new Set([...before, ...sources])], run: async () => 2 });
  const orTell = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      app.err.write(`error: ${error.message}\n${error.help === undefined ? "" : `  help: ${error.help}\n`}`);
      return undefined;
    }
  };
  const opened = await orTell(() => openPipeline(app, words, options));
  if (opened === undefined) return refused();
  return {
    watched: [...new Set([...sources, ...inputsOf(app, opened), ...(await modulesOf(app, opened))])],
    run: async () => (await orTell(() => runPipeline(app, opened, options))) ?? 2,
  };
}

/** The pipeline's file, what it includes, and the user's modules that it names: all that can be known of a wrong one. */
function sourcesOf(app: App, words: readonly string[], options: RunOptions): readonly string[] {
  const { file } = findPipelineFile(app, words);
  const path = resolve(app.cwd, file);
  const text = app.files.readText(path);
  // Between two saves it may be gone for a moment; `openPipeline` says so where it stays away.
  if (text === undefined) return [path];
  const parsed = parsePipeline(
    { file, folder: dirname(path), text },
    {
      profiles: options.profile,
      overrides: options.param,
      workingFolder: app.cwd,
      readText: (included) => app.files.readText(included),
    },
  );
  return [path, ...parsed.includes, ...findUserStages(parsed).map((use) => use.path)];
}

function inputsOf({ files }: App, { pipeline, selected }: OpenedPipeline): readonly string[] {
  return pipeline.stages
    .filter(({ name }) => selected.includes(name))
    .flatMap(({ inputs }) =>
      Object.values(inputs).flatMap((source) =>
        source.from === "path" ? [source.path, files.resolveLink(source.path)] : [],
      ),
    );
}

/** Every module that a stage's bundle was made of, where its source is here: the user's own, and this package's in a checkout. */
async function modulesOf(app: App, opened: OpenedPipeline): Promise<readonly string[]> {
  const { pipeline, userStages, artifactsFolder } = opened;
  const { code } = await app.openWorkspace(artifactsFolder, { paranoid: false, userStages });
  return pipeline.stages
    .filter(({ command }) => command === undefined)
    .flatMap(({ type, module }) =>
      module === undefined
        ? Object.keys(code.resolve(type, undefined).listing.modules).flatMap((name) => findModule(app, name) ?? [])
        : (userStages.sources.get(module) ?? []),
    );
}

/** A module of this package, where its source is here. */
function findModule({ files, packageFolder }: App, name: string): string | undefined {
  const path = join(packageFolder, name);
  return files.stat(path)?.kind === "file" ? path : undefined;
}
