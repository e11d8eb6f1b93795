/**
 * The kept runs, for commands that look back: of the pipeline that the words name, or of every pipeline here. A pipeline
 * that is broken, or whose file is gone, still has its runs.
 */
import { resolve } from "node:path";
import { createRunStore, findRun, type RunScope, type RunStore } from "../cache/run-store.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { RunRecord } from "../record.ts";
import { type App, UsageError } from "./app.ts";
import { findArtifactsFolder, namesPipeline, openPipeline } from "./open-pipeline.ts";

export interface RunsOptions {
  readonly profile: readonly string[];
  readonly artifacts?: string;
}

export interface OpenedRuns {
  readonly workspace: Workspace;
  readonly runs: RunStore;
  readonly scope: RunScope;
  /** What is left of the words after the pipeline. */
  readonly rest: readonly string[];
}

/** `most`: how many words may follow the pipeline. Undefined where a pipeline's file is wrong: that was said. */
export async function openRuns(
  app: App,
  words: readonly string[],
  options: RunsOptions,
  most: number,
): Promise<OpenedRuns | undefined> {
  const [first, ...others] = words;
  const isPipeline = first !== undefined && (words.length > most || namesPipeline(app, first));
  const from =
    isPipeline && /\.ya?ml$/.test(first) ? resolve(app.cwd, first) : resolve(app.cwd, "pipelines", "any.yaml");
  const folder = options.artifacts === undefined ? findArtifactsFolder(app, from) : resolve(app.cwd, options.artifacts);
  const workspace = await app.openWorkspace(folder, { paranoid: false });
  const runs = createRunStore(workspace);
  const profiles = options.profile.length === 0 ? {} : { profiles: options.profile };
  if (!isPipeline) return { workspace, runs, scope: profiles, rest: words };
  const name =
    nameInRecords(runs, first) ?? (namesPipeline(app, first) ? await readName(app, first, options) : undefined);
  if (name === undefined) {
    if (namesPipeline(app, first)) return undefined;
    throw new UsageError(
      `there is no pipeline "${first}" here, and no run of one`,
      "`pipe runs` lists the runs there are",
    );
  }
  return { workspace, runs, scope: { pipeline: name, ...profiles }, rest: others };
}

/** Where a word is the name that records have. */
function nameInRecords(runs: RunStore, word: string): string | undefined {
  for (const { pipeline } of runs.records()) if (pipeline === word) return word;
  return undefined;
}

async function readName(app: App, word: string, { artifacts }: RunsOptions): Promise<string | undefined> {
  const options = { profile: [], param: [], ...(artifacts === undefined ? {} : { artifacts }) };
  return (await openPipeline(app, [word], options))?.pipeline.name;
}

export function needRun({ runs, scope }: OpenedRuns, word: string): RunRecord {
  const found = findRun(runs, word, scope);
  if ("problem" in found) throw new UsageError(found.problem, found.help);
  return found.record;
}
