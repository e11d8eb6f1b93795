/** `pipe status`: the plan as it is now, beside what the last run did. */
import { planRun } from "../execute/plan.ts";
import { renderStatus } from "../report/render-status.ts";
import type { App, ExitCode } from "./app.ts";
import { openPipeline, type PipelineOptions } from "./open-pipeline.ts";
import { readLastRecord } from "./read-run-record.ts";
import { resolveEngines } from "./resolve-engines.ts";

export interface StatusOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function statusCommand(app: App, words: readonly string[], options: StatusOptions): Promise<ExitCode> {
  const opened = openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const engines = await resolveEngines(app, opened, { install: false, quiet: true });
  if (engines === undefined) return 2;
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const stages = opened.selected;
  const plan = await planRun(workspace, { ...opened, stages, engines, force: new Set() });
  workspace.memo.save();
  const lastRun = readLastRecord(workspace, opened.pipeline);
  const planned = plan.map(({ trace: _trace, differences: _differences, ...stage }) => stage);
  if (options.json) {
    app.out.write(`${JSON.stringify({ pipeline: opened.pipeline.name, stages: planned, lastRun: lastRun?.id })}\n`);
    return 0;
  }
  const status = {
    pipeline: opened.pipeline.name,
    profiles: opened.pipeline.profiles,
    stages: planned,
    ...(lastRun === undefined ? {} : { lastRun }),
  };
  app.out.write(`${renderStatus(status, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}
