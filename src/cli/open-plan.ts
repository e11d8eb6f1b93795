/**
 * What `plan`, `status` and `why` have in common: the pipeline, its engines and the plan as it is now, with the root cause
 * in every reason. Runs nothing.
 */
import type { ResolvedEngine } from "../execute/engine-port.ts";
import { type DetailedStage, planRun } from "../execute/plan.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { App } from "./app.ts";
import { needsCode, type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { resolveEngines } from "./resolve-engines.ts";

export interface OpenedPlan {
  readonly opened: OpenedPipeline;
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly workspace: Workspace;
  readonly plan: readonly DetailedStage[];
}

/** Undefined when the pipeline is wrong; its diagnostics were written and the exit code is 2. */
export async function openPlan(
  app: App,
  words: readonly string[],
  options: PipelineOptions,
): Promise<OpenedPlan | undefined> {
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return undefined;
  const engines = await resolveEngines(app, opened, { install: false });
  if (engines === undefined) return undefined;
  const workspace = await app.openWorkspace(opened.artifactsFolder, {
    paranoid: false,
    userStages: opened.userStages,
    needsCode: needsCode(opened.pipeline),
  });
  const plan = await planRun(workspace, { ...opened, stages: opened.selected, engines, force: new Set() });
  const named = await nameCauses(workspace, opened, engines, plan);
  workspace.memo.save();
  return { opened, engines, workspace, plan: named };
}

/** The plan, with the root cause in every reason. */
export async function nameCauses(
  workspace: Workspace,
  { pipeline, texts }: OpenedPipeline,
  engines: ReadonlyMap<string, ResolvedEngine>,
  plan: readonly DetailedStage[],
): Promise<readonly DetailedStage[]> {
  // A plan in which nothing is to be done has no causes to look for.
  if (plan.every(({ decision }) => decision === "fresh" || decision === "restore")) return plan;
  const { createExplainer } = await import("../execute/explain.ts");
  const { lastSuccesses } = await import("../execute/key-reference.ts");
  const { createRunStore } = await import("../cache/run-store.ts");
  const reference = lastSuccesses(workspace, createRunStore(workspace), pipeline);
  return createExplainer(workspace, { pipeline, texts, engines, plan, reference }).nameCauses();
}
