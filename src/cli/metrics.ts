/** `pipe metrics`: headline metrics of a pipeline's stages, and `pipe metrics diff`: those of two runs beside each other. */
import { compareRuns } from "../cache/compare-runs.ts";
import { createRunStore, findRun, wholeRecord } from "../cache/run-store.ts";
import { readLastRun } from "../execute/last-run.ts";
import type { Workspace } from "../execute/workspace.ts";
import { createPalette } from "../report/ansi.ts";
import { breakText } from "../report/break-text.ts";
import {
  metricChangesAsTable,
  metricsAsTable,
  metricTable,
  renderMetrics,
  type StageMetric,
  type TableFormat,
} from "../report/render-metrics.ts";
import { pipelineTitle, runTitle } from "../report/run-title.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import { needRun, openRuns, type RunsOptions } from "./open-runs.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface MetricsFormat {
  readonly format: "text" | "json" | TableFormat;
}

export interface MetricsOptions extends PipelineOptions, MetricsFormat {
  /** Of this run instead of each stage's last success. */
  readonly run?: string;
}

interface FoundMetrics {
  readonly title: string;
  readonly runId?: string;
  readonly metrics: readonly StageMetric[];
  /** Why stages are missing. */
  readonly notes: readonly string[];
}

export async function metricsCommand(app: App, words: readonly string[], options: MetricsOptions): Promise<ExitCode> {
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const found =
    options.run === undefined ? lastMetrics(workspace, opened) : metricsOfRun(workspace, opened, options.run);
  for (const note of found.notes) app.err.write(`note: ${note}\n`);
  const { metrics } = found;
  switch (options.format) {
    case "json": {
      const byStage: Record<string, Record<string, number>> = {};
      for (const { stage, name, value } of metrics) byStage[stage] = { ...byStage[stage], [name]: value };
      const { name, profiles } = opened.pipeline;
      app.out.write(`${JSON.stringify({ pipeline: name, profiles, runId: found.runId, metrics: byStage })}\n`);
      return 0;
    }
    case "csv":
    case "md":
      app.out.write(`${metricsAsTable(metrics, options.format)}\n`);
      return 0;
    case "text":
      app.out.write(
        metrics.length === 0
          ? `${found.title}: no stage has a metric\n`
          : `${renderMetrics(metrics, found.title, { color: app.out.color, columns: app.out.columns() })}\n`,
      );
      return 0;
    default:
      return options.format satisfies never;
  }
}

/** Of what is in the visible folder: each stage's last success, whichever run that was. */
function lastMetrics(workspace: Workspace, { pipeline, selected, commandSuffix }: OpenedPipeline): FoundMetrics {
  const last = readLastRun(workspace, pipeline);
  if (last === undefined)
    throw new UsageError(`pipeline ${pipeline.name} has not run yet`, `run it with: pipe run${commandSuffix}`);
  const metrics: StageMetric[] = [];
  const notes: string[] = [];
  for (const stage of selected) {
    const fingerprint = last.stages[stage];
    if (fingerprint === undefined) continue;
    const trace = workspace.traces.find(fingerprint)[0];
    if (trace === undefined) notes.push(`the trace of ${stage} was removed from the store; its metrics are not known`);
    for (const [name, value] of Object.entries(trace?.metrics ?? {})) metrics.push({ stage, name, value });
  }
  const record = last.runId === undefined ? undefined : createRunStore(workspace).read(last.runId);
  const title = pipelineTitle({ pipeline: pipeline.name, profiles: pipeline.profiles });
  return {
    title: record === undefined ? title : `${title}: ${runTitle(record)}`,
    ...(last.runId === undefined ? {} : { runId: last.runId }),
    metrics,
    notes,
  };
}

function metricsOfRun(workspace: Workspace, { pipeline, selected }: OpenedPipeline, word: string): FoundMetrics {
  const runs = createRunStore(workspace);
  const found = findRun(runs, word, { pipeline: pipeline.name });
  if ("problem" in found) throw new UsageError(found.problem, found.help);
  const { record } = found;
  const whole = wholeRecord(runs, record);
  if (whole === undefined)
    throw new UsageError(
      `the run ${record.id} found everything done by the run ${record.sameAs}, whose record was removed`,
    );
  return {
    title: `${pipelineTitle(record)}: ${runTitle(record)}`,
    runId: record.id,
    metrics: whole.stages
      // Instances that a sweep made are no stages of the pipeline as its file has it.
      .filter(({ stage }) => record.sweep !== undefined || selected.includes(stage))
      .flatMap(({ stage, metrics }) => Object.entries(metrics).map(([name, value]) => ({ stage, name, value }))),
    notes: [],
  };
}

export interface MetricsDiffOptions extends RunsOptions, MetricsFormat {}

export async function metricsDiffCommand(
  app: App,
  words: readonly string[],
  options: MetricsDiffOptions,
): Promise<ExitCode> {
  const opened = await openRuns(app, words, options, 2);
  if (opened === undefined) return 2;
  const [before, after] = opened.rest;
  if (before === undefined || after === undefined || opened.rest.length > 2)
    throw new UsageError(
      "metrics diff takes two runs",
      "as in: pipe metrics diff last~1 last (`pipe runs` lists them)",
    );
  const { runs, workspace } = opened;
  const comparison = compareRuns({ runs, traces: workspace.traces }, needRun(opened, before), needRun(opened, after));
  switch (options.format) {
    case "json":
      app.out.write(
        `${JSON.stringify({ before: comparison.before, after: comparison.after, metrics: comparison.metrics })}\n`,
      );
      return 0;
    case "csv":
    case "md":
      app.out.write(`${metricChangesAsTable(comparison.metrics, options.format)}\n`);
      return 0;
    case "text": {
      const width = app.out.columns() - 1;
      const palette = createPalette(app.out.color);
      const [old, now] = [comparison.before, comparison.after].map((run) => `${pipelineTitle(run)}  ${runTitle(run)}`);
      const head = [
        ...breakText(`- ${old}`, width, 2).map(palette.red),
        ...breakText(`+ ${now}`, width, 2).map(palette.green),
      ];
      const table =
        comparison.metrics.length === 0 ? ["neither has a metric"] : metricTable(comparison.metrics, width, palette);
      app.out.write(`${[...head, "", ...table].join("\n")}\n`);
      return 0;
    }
    default:
      return options.format satisfies never;
  }
}
