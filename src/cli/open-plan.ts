/** What `plan`, `status` and `why` have in common: the pipeline, its engines and the plan as it is now. Runs nothing. */
import type { ResolvedEngine } from "../execute/engine-port.ts";
import { type DetailedStage, planRun } from "../execute/plan.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { App } from "./app.ts";
import { type OpenedPipeline, openPipeline, type PipelineOptions } from "./open-pipeline.ts";
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
  const opened = openPipeline(app, words, options);
  if (opened === undefined) return undefined;
  const engines = await resolveEngines(app, opened, { install: false });
  if (engines === undefined) return undefined;
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const plan = await planRun(workspace, { ...opened, stages: opened.selected, engines, force: new Set() });
  workspace.memo.save();
  return { opened, engines, workspace, plan };
}
