/** `pipe clean`: removes visible results; what was computed stays in the store unless `--store` is given. */
import { join, relative } from "node:path";
import { pipelineFolderName } from "../execute/last-run.ts";
import type { App, ExitCode } from "./app.ts";
import { openPipeline, type PipelineOptions } from "./open-pipeline.ts";

export interface CleanOptions extends PipelineOptions {
  /** Also everything that was ever cached here. */
  readonly store: boolean;
}

export async function cleanCommand(app: App, words: readonly string[], options: CleanOptions): Promise<ExitCode> {
  const opened = openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const visible = join(opened.artifactsFolder, pipelineFolderName(opened.pipeline));
  const targets =
    opened.stageNames.length > 0
      ? opened.stageNames.map((name) => join(visible, name))
      : [visible, ...(options.store ? [join(opened.artifactsFolder, ".store")] : [])];
  for (const target of targets) {
    if (app.files.stat(target) === undefined) continue;
    app.files.remove(target);
    app.out.write(`removed ${relative(app.cwd, target)}\n`);
  }
  if (!options.store)
    app.out.write(`what was computed stays in the store: pipe run${opened.commandSuffix} brings it back\n`);
  return 0;
}
