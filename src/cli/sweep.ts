/**
 * `pipe sweep`: one run of a pipeline whose params have many values. The pipeline is fanned out over them before it is
 * planned, so what trials have in common is done once, and a sweep that was stopped goes on where it was.
 */
import type { Pipeline } from "../language/pipeline.ts";
import type { SweepWords } from "../language/sweep-words.ts";
import type { RunRecord, SweepRecord } from "../record.ts";
import { runLabel } from "../report/render-summary.ts";
import { bestTrial, renderSweep, sweepAsCsv, sweepTitle, valueText } from "../report/render-sweep.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";
import { type Objective, recordSweep } from "./record-sweep.ts";
import { runPipeline } from "./run.ts";
import { findStages } from "./stage-names.ts";

export interface SweepOptions extends PipelineOptions {
  readonly grid: readonly string[];
  readonly random: readonly string[];
  readonly trials?: number;
  readonly seed?: number;
  readonly metric?: string;
  readonly mode?: "max" | "min";
  readonly jobs?: number;
  readonly logs: boolean;
  readonly paranoid: boolean;
  readonly dryRun: boolean;
  readonly name?: string;
  readonly format: "text" | "json" | "csv";
}

export async function sweepCommand(app: App, words: readonly string[], options: SweepOptions): Promise<ExitCode> {
  const sweep = wordsOf(options);
  const opened = await openPipeline(app, words, { ...options, sweep });
  if (opened === undefined) return 2;
  const objective = objectiveOf(opened.pipeline, opened.selected, options);
  const settings = {
    ...(objective === undefined ? {} : { objective }),
    ...(sweep.random.length === 0 ? {} : { seed: sweep.seed }),
  };
  app.interrupts.listen();
  let found = true;
  const exitCode = await runPipeline(app, opened, {
    ...options,
    sweep,
    json: options.dryRun && options.format === "json",
    force: [],
    from: [],
    until: [],
    // One trial says nothing about the next.
    keepGoing: true,
    frozen: false,
    sweeping: {
      tellOnErr: options.format !== "text",
      record: (stages) => recordSweep(opened.pipeline, stages, settings),
      print(record) {
        print(app, opened, record, options.format);
        found = tellWithoutObjective(app, record);
      },
    },
  });
  return exitCode === 0 && !found ? 2 : exitCode;
}

/** Of what the user gave, or the refusal. */
function wordsOf({ grid, random, trials, seed }: SweepOptions): SweepWords {
  if (grid.length + random.length === 0)
    throw new UsageError(
      "a sweep needs a param to vary",
      'as in: --grid learningRate=0.1,0.01   or: --random "learningRate=log(1e-3..1e-1)" --trials 12',
    );
  if (random.length > 0 && trials === undefined)
    throw new UsageError("--random needs to know how often to draw", "as in: --trials 12");
  if (random.length === 0 && (trials !== undefined || seed !== undefined))
    throw new UsageError(
      `${trials === undefined ? "--seed" : "--trials"} is for what is drawn, and nothing is`,
      "a grid has as many trials as it has combinations; --random draws",
    );
  return { grid, random, trials: trials ?? 1, seed: seed ?? 0 };
}

/** Undefined where nobody named a metric. Which metrics a stage has is known when it has run; that there is such a stage, now. */
function objectiveOf(
  pipeline: Pipeline,
  selected: readonly string[],
  { metric, mode }: SweepOptions,
): Objective | undefined {
  if (metric === undefined) {
    if (mode === undefined) return undefined;
    throw new UsageError(
      "--mode says which way --metric is better, and there is none",
      "as in: --metric evaluate.testAccuracy",
    );
  }
  const dot = metric.indexOf(".");
  if (dot <= 0 || dot === metric.length - 1)
    throw new UsageError(
      `--metric ${metric} does not name a stage and its metric`,
      "as in: --metric evaluate.testAccuracy",
    );
  const [stage, name] = [metric.slice(0, dot), metric.slice(dot + 1)];
  const found = findStages(pipeline, stage);
  const instances = pipeline.stages.filter((one) => found.includes(one.name) && one.instance?.of === stage);
  const params = pipeline.sweep?.params ?? [];
  const axes = Object.keys(pipeline.sweep?.trials[0]?.values ?? {});
  const [first] = instances;
  if (first === undefined || !params.some((param) => Object.hasOwn(first.instance!.values, param)))
    throw new UsageError(
      `--metric ${metric}: no trial changes what stage ${stage} gives`,
      `nothing that it reads comes from ${params.join(" or ")}`,
    );
  const own = Object.keys(first.instance!.values).filter((axis) => !axes.includes(axis));
  if (own.length > 0)
    throw new UsageError(
      `--metric ${metric}: stage ${stage} has several instances in each trial, by ${own.join(" and ")}`,
      `name the metric of a stage that reads ${stage}@*`,
    );
  if (!selected.includes(first.name))
    throw new UsageError(`--metric ${metric}: stage ${stage} is not part of this run`);
  return { metric, mode: mode ?? (/loss$/i.test(name) ? "min" : "max") };
}

function print(
  app: App,
  opened: OpenedPipeline,
  { sweep, ...record }: RunRecord,
  format: SweepOptions["format"],
): void {
  switch (format) {
    case "text": {
      const title = sweepTitle(sweep!, runLabel(record));
      app.out.write(`\n${renderSweep(sweep!, title, { color: app.out.color, columns: app.out.columns() })}\n`);
      app.out.write(bestTrialHint(opened, sweep!));
      return;
    }
    case "csv":
      app.out.write(`${sweepAsCsv(sweep!)}\n`);
      return;
    case "json": {
      const { id, pipeline, profiles, params, startedAt, durationMs, exitCode } = record;
      app.out.write(
        `${JSON.stringify({ runId: id, pipeline, profiles, params, startedAt, durationMs, exitCode, sweep })}\n`,
      );
      return;
    }
    default:
      format satisfies never;
  }
}

/** What was swept is what --param sets, so the best trial's results are there already for the pipeline itself. */
function bestTrialHint({ pipeline, commandSuffix }: OpenedPipeline, sweep: SweepRecord): string {
  const best = bestTrial(sweep);
  if (best === undefined) return "";
  const params = (pipeline.sweep?.params ?? []).map(
    (name) => `--param ${quoteWord(`${name}=${valueText(best.values[name])}`)}`,
  );
  return `the best one, from the store: pipe run${commandSuffix} ${params.join(" ")}\n`;
}

/** False where trials were done and none has the metric they are judged by: then it was mistyped. */
function tellWithoutObjective(app: App, { sweep }: RunRecord): boolean {
  const done = sweep!.trials.filter(({ state }) => state === "done");
  const metric = sweep!.objective?.metric;
  if (metric === undefined || done.length === 0 || done.some(({ metrics }) => metrics[metric] !== undefined))
    return true;
  const known = [...new Set(done.flatMap(({ metrics }) => Object.keys(metrics)))];
  app.err.write(
    `error: no trial has the metric ${metric}\nhelp: trials have ${known.join(", ")}; what is done is kept\n`,
  );
  return false;
}
