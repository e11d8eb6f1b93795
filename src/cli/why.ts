/** `pipe why <stage>`: what differs from the stage's last success, down to the param's line and the module's name. */

import { createLineTable, positionAt } from "../diagnostics/code-frame.ts";
import type { Span } from "../diagnostics/span.ts";
import { readLastRun } from "../execute/last-run.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { renderWhy } from "../report/render-why.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import type { PipelineOptions } from "./open-pipeline.ts";
import { openPlan } from "./open-plan.ts";

export interface WhyOptions extends PipelineOptions {
  readonly json: boolean;
}

export async function whyCommand(app: App, words: readonly string[], options: WhyOptions): Promise<ExitCode> {
  const openedPlan = await openPlan(app, words, options);
  if (openedPlan === undefined) return 2;
  const { workspace, plan } = openedPlan;
  const { pipeline, stageNames } = openedPlan.opened;
  if (stageNames.length !== 1)
    throw new UsageError("why takes one stage", `its stages are ${pipeline.stages.map(({ name }) => name).join(", ")}`);
  const [name] = stageNames as [string];
  const planned = plan.at(-1)!;
  if (options.json) {
    app.out.write(
      `${JSON.stringify({ stage: name, decision: planned.decision, reason: planned.reason, differences: planned.differences })}\n`,
    );
    return 0;
  }
  const last = readLastRun(workspace, pipeline);
  const madeBy = (stageName: string): string | undefined => {
    const fingerprint = last?.stages[stageName];
    return fingerprint === undefined ? undefined : workspace.traces.find(fingerprint)[0]?.runId;
  };
  const style = { color: app.out.color, columns: app.out.columns() };
  const stage = pipeline.stages.find((candidate) => candidate.name === name)!;
  const explain = (entry: typeof planned) =>
    renderWhy(
      entry.stage,
      {
        decision: entry.decision,
        reason: entry.reason,
        differences: entry.differences,
        against: madeBy(entry.stage) === undefined ? "no earlier run" : `the run ${madeBy(entry.stage)}`,
        origin: (difference) =>
          originOf(app, pipeline.stages.find(({ name: other }) => other === entry.stage) ?? stage, difference),
      },
      style,
    );
  app.out.write(`${explain(planned)}\n`);
  // A pending stage moves only if something it needs does: say what moves that.
  if (planned.decision === "pending") {
    for (const cause of plan) if (cause.decision === "run") app.out.write(`\n${explain(cause)}\n`);
  }
  return 0;
}

function originOf(app: App, stage: PipelineStage, { part, name }: KeyDifference): string | undefined {
  if (part === "input") {
    const source = stage.inputs[name];
    if (source === undefined) return undefined;
    return source.from === "stage" ? `${source.stage}.${source.output}` : source.text;
  }
  if (part === "numerics") {
    const span = stage.spans.engineSettings?.[name === "engine" ? "name" : name];
    return span === undefined ? undefined : lineOf(app, span);
  }
  if (part !== "param") return undefined;
  // The value itself, or the nearest part of it that was written.
  for (let path = name; path !== ""; path = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "") {
    const span = stage.spans.params[path];
    if (span !== undefined) return lineOf(app, span);
  }
  return undefined;
}

function lineOf(app: App, span: Span): string {
  const text = app.files.readText(span.file);
  return text === undefined ? span.file : `${span.file}:${positionAt(createLineTable(text), span.start).line}`;
}
