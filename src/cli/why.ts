/**
 * `pipe why <stage>`: what differs from the stage's last success, from a given run or from another pipeline, down to the
 * param's line, the source file and, through every stage in between, the root cause.
 */
import { createRunStore, findRun } from "../cache/run-store.ts";
import { createExplainer } from "../execute/explain.ts";
import { type KeyReference, keysOfPipeline, keysOfRun, lastSuccesses } from "../execute/key-reference.ts";
import { renderWhy } from "../report/render-why.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type OpenedPlan, openPlan } from "./open-plan.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface WhyOptions extends PipelineOptions {
  readonly json: boolean;
  /** Compare with what it had in this run. */
  readonly run?: string;
  /** Compare with another pipeline, or with this one in other profiles. */
  readonly against?: string;
  readonly againstProfile: readonly string[];
}

export async function whyCommand(app: App, words: readonly string[], options: WhyOptions): Promise<ExitCode> {
  const planned = await openPlan(app, words, options);
  if (planned === undefined) return 2;
  const { pipeline, stageNames } = planned.opened;
  if (stageNames.length !== 1)
    throw new UsageError("why takes one stage", `its stages are ${pipeline.stages.map(({ name }) => name).join(", ")}`);
  const [name] = stageNames as [string];
  const reference = await referenceFor(app, planned, name, options);
  if (reference === undefined) return 2;
  const { workspace, engines, plan } = planned;
  const explainer = createExplainer(workspace, { pipeline, texts: planned.opened.texts, engines, plan, reference });
  const explanation = await explainer.explain(name);
  const rootCauses = await explainer.rootCausesOf(name);
  const { nondeterminism } = plan.find(({ stage }) => stage === name) ?? {};
  const marked = nondeterminism === undefined ? {} : { nondeterminism };
  if (options.json) {
    app.out.write(`${JSON.stringify({ ...explanation, rootCauses, ...marked })}\n`);
    return 0;
  }
  const why = { explanation, rootCauses, pipeline: pipeline.name, profiles: pipeline.profiles, ...marked };
  app.out.write(`${renderWhy(why, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}

/** Undefined where the other pipeline is wrong; its diagnostics were written. */
async function referenceFor(
  app: App,
  { opened, workspace }: OpenedPlan,
  stage: string,
  options: WhyOptions,
): Promise<KeyReference | undefined> {
  const runs = createRunStore(workspace);
  const elsewhere = options.against !== undefined || options.againstProfile.length > 0;
  if (options.run !== undefined) {
    if (elsewhere) throw new UsageError("--run and --against are two things to compare with", "give one of them");
    const { name } = opened.pipeline;
    // Its own runs first: `last` means one of them. An id or a name may be any run's.
    const own = findRun(runs, options.run, { pipeline: name, profiles: opened.pipeline.profiles });
    const found = "problem" in own && !/^last/.test(options.run) ? findRun(runs, options.run) : own;
    if ("problem" in found) throw new UsageError(found.problem, found.help);
    return keysOfRun(workspace, runs, found.record);
  }
  if (!elsewhere) return lastSuccesses(workspace, runs, opened.pipeline);
  const other = await openPlan(app, [options.against ?? opened.pipeline.file, stage], {
    profile: options.againstProfile,
    param: [],
    artifacts: opened.artifactsFolder,
  });
  if (other === undefined) return undefined;
  const { pipeline } = other.opened;
  const successes = lastSuccesses(workspace, runs, pipeline);
  const explainer = createExplainer(other.workspace, {
    pipeline,
    texts: other.opened.texts,
    engines: other.engines,
    plan: other.plan,
    reference: successes,
  });
  const planned = new Set(other.plan.map((entry) => entry.stage));
  return keysOfPipeline(successes, pipeline, async (name) =>
    planned.has(name) ? explainer.currentKey(name) : "the other pipeline does not need it there",
  );
}
