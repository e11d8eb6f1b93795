/** A plan on standard output: what a run would do, and why. */
import type { DetailedStage } from "../execute/plan.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { EngineRecord } from "../record.ts";
import { describeNumerics } from "../report/describe-engine.ts";
import { renderPlan } from "../report/render-plan.ts";
import type { App } from "./app.ts";
import { quickHint } from "./quick-hint.ts";

/** With `json` one object per stage. */
export function printPlan(app: App, pipeline: Pipeline, plan: readonly DetailedStage[], json: boolean): void {
  if (json) {
    for (const { trace: _trace, ...stage } of plan) app.out.write(`${JSON.stringify(stage)}\n`);
    return;
  }
  const style = { color: app.out.color, columns: app.out.columns(), ...quickHint(pipeline) };
  app.out.write(`${renderPlan(plan, style)}\n`);
  const engines = new Set(plan.flatMap(({ engine }) => (engine === undefined ? [] : [lineOf(engine)])));
  for (const engine of engines) app.out.write(`computes on ${engine}\n`);
}

function lineOf(engine: EngineRecord): string {
  return `${engine.name}: ${engine.version}, ${describeNumerics(engine)}`;
}
