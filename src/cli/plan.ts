/** `pipe plan`: what a run would do, and why. Changes nothing but the memo of digests. */
import type { EngineRecord } from "../record.ts";
import { describeNumerics } from "../report/describe-engine.ts";
import { renderPlan } from "../report/render-plan.ts";
import type { App, ExitCode } from "./app.ts";
import { estimateStages } from "./estimate-stages.ts";
import type { PipelineOptions } from "./open-pipeline.ts";
import { openPlan } from "./open-plan.ts";
import { quickHint } from "./quick-hint.ts";

export interface PlanOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function planCommand(app: App, words: readonly string[], options: PlanOptions): Promise<ExitCode> {
  const planned = await openPlan(app, words, options);
  if (planned === undefined) return 2;
  const { pipeline } = planned.opened;
  const plan = await estimateStages(pipeline, planned.engines, planned.workspace, planned.plan);
  if (options.json) {
    for (const { trace: _trace, ...stage } of plan) app.out.write(`${JSON.stringify(stage)}\n`);
    return 0;
  }
  const style = { color: app.out.color, columns: app.out.columns(), ...quickHint(pipeline) };
  app.out.write(`${renderPlan(plan, style)}\n`);
  const engines = new Set(plan.flatMap(({ engine }) => (engine === undefined ? [] : [lineOf(engine)])));
  for (const engine of engines) app.out.write(`computes on ${engine}\n`);
  return 0;
}

function lineOf(engine: EngineRecord): string {
  return `${engine.name}: ${engine.version}, ${describeNumerics(engine)}`;
}
