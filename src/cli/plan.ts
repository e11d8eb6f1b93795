/** `pipe plan`: what a run would do, and why. Changes nothing but the memo of digests. */
import { planRun } from "../execute/plan.ts";
import { renderPlan } from "../report/render-plan.ts";
import type { App, ExitCode } from "./app.ts";
import { estimateStages } from "./estimate-stages.ts";
import { openPipeline, type PipelineOptions } from "./open-pipeline.ts";
import { quickHint } from "./quick-hint.ts";
import { resolveEngines } from "./resolve-engines.ts";

export interface PlanOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function planCommand(app: App, words: readonly string[], options: PlanOptions): Promise<ExitCode> {
  const opened = openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const engines = await resolveEngines(app, opened, { install: false, quiet: true });
  if (engines === undefined) return 2;
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const stages = opened.selected;
  const planned = await planRun(workspace, { ...opened, stages, engines, force: new Set() });
  const plan = await estimateStages(opened.pipeline, engines, workspace, planned);
  workspace.memo.save();
  if (options.json) {
    for (const { trace: _trace, ...stage } of plan) app.out.write(`${JSON.stringify(stage)}\n`);
    return 0;
  }
  const hint = quickHint(opened.pipeline);
  app.out.write(`${renderPlan(plan, { color: app.out.color, columns: app.out.columns(), ...hint })}\n`);
  return 0;
}
