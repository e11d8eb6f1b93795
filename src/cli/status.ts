/** `pipe status`: the plan as it is now, beside what the last run did. */
import { renderStatus } from "../report/render-status.ts";
import type { App, ExitCode } from "./app.ts";
import { openPlan } from "./open-plan.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { readLastRecord } from "./read-run-record.ts";

export interface StatusOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function statusCommand(app: App, words: readonly string[], options: StatusOptions): Promise<ExitCode> {
  const planned = await openPlan(app, words, options);
  if (planned === undefined) return 2;
  const { pipeline } = planned.opened;
  const lastRun = readLastRecord(planned.workspace, pipeline);
  const stages = planned.plan.map(({ trace: _trace, differences: _differences, ...stage }) => stage);
  if (options.json) {
    app.out.write(`${JSON.stringify({ pipeline: pipeline.name, stages, lastRun: lastRun?.id })}\n`);
    return 0;
  }
  const status = {
    pipeline: pipeline.name,
    profiles: pipeline.profiles,
    stages,
    ...(lastRun === undefined ? {} : { lastRun }),
  };
  app.out.write(`${renderStatus(status, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}
