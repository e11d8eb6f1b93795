/** `pipe clean`: removes visible results; what was computed stays in the store unless `--store` is given. */
import { join, relative } from "node:path";
import { findLiveRun } from "../cache/run-lease.ts";
import { measure } from "../cache/survey-store.ts";
import { pipelineFolderName } from "../execute/last-run.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface CleanOptions extends PipelineOptions {
  /** Also everything that was ever cached here. */
  readonly store: boolean;
  readonly json: boolean;
}

export async function cleanCommand(app: App, words: readonly string[], options: CleanOptions): Promise<ExitCode> {
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  if (options.store) {
    if (opened.stageNames.length > 0)
      throw new UsageError("--store empties the whole store, not that of single stages", "leave the stage names out");
    await refuseWhileRunning(app, opened.artifactsFolder);
  }
  const visible = join(opened.artifactsFolder, pipelineFolderName(opened.pipeline));
  const targets =
    opened.stageNames.length > 0
      ? opened.stageNames.map((name) => join(visible, name))
      : [visible, ...(options.store ? [join(opened.artifactsFolder, ".store")] : [])];
  const removed = targets
    .filter((target) => app.files.stat(target) !== undefined)
    .map((target) => {
      const sizeBytes = options.json ? measure(app.files, target) : 0;
      app.files.remove(target);
      return { path: relative(app.cwd, target), sizeBytes };
    });
  if (options.json) {
    app.out.write(`${JSON.stringify({ removed })}\n`);
    return 0;
  }
  for (const { path } of removed) app.out.write(`removed ${path}\n`);
  if (!options.store)
    app.out.write(`what was computed stays in the store: pipe run${opened.commandSuffix} brings it back\n`);
  return 0;
}

/** A live run would lose what it has just made. */
async function refuseWhileRunning(app: App, artifactsFolder: string): Promise<void> {
  const live = findLiveRun(await app.openWorkspace(artifactsFolder, { paranoid: false }));
  if (live !== undefined)
    throw new UsageError(
      `a run is going on (process ${live.pid} on ${live.host})`,
      "wait for its end, or stop it, and clean then",
    );
}
