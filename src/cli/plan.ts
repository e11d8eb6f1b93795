/** `pipe plan`: what a run would do, and why. Changes nothing but the memo of digests. */
import type { App, ExitCode } from "./app.ts";
import { estimateStages } from "./estimate-stages.ts";
import { openPlan } from "./open-plan.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { printPlan } from "./print-plan.ts";
import { resourcesOf } from "./resources-of.ts";

export interface PlanOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function planCommand(app: App, words: readonly string[], options: PlanOptions): Promise<ExitCode> {
  const planned = await openPlan(app, words, options);
  if (planned === undefined) return 2;
  const { pipeline } = planned.opened;
  const plan = await estimateStages(pipeline, planned.engines, planned.workspace, planned.plan, () =>
    resourcesOf(app, undefined),
  );
  printPlan(app, pipeline, plan, options.json);
  return 0;
}
