/** The runs that are kept, newest first: what ran, how it ended, how well it did. */
import type { SweepRecord } from "../record.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { figureText } from "./format-figure.ts";
import { bestTrial, metricText } from "./render-sweep.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { formatMoment, pipelineTitle, shortRunId } from "./run-title.ts";
import { textWidth } from "./text-width.ts";

/** `fresh`: it found everything done. `unfinished`: killed, or still going on. */
export type RunOutcome = "done" | "fresh" | "failed" | "interrupted" | "unfinished";

export interface ListedRun {
  readonly id: string;
  readonly name?: string;
  readonly pipeline: string;
  readonly profiles: readonly string[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly outcome: RunOutcome;
  /** Absent of an unfinished run. */
  readonly durationMs?: number;
  readonly exitCode?: number;
  /** How many stages ended how; those of none are left out. */
  readonly stages: Readonly<
    Partial<Record<"ran" | "restored" | "fresh" | "failed" | "skipped" | "interrupted", number>>
  >;
  /** Headline metrics by stage. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly sweep?: SweepRecord;
}

/** What stages did and how well gets a column where it would have this much room, else lines of its own. */
const NARROWEST_TAIL = 60;
const GAP = 2;
const NO_BREAK = "\u00a0";

/** Lines without a final break, none wider than the window. */
export function renderRuns(runs: readonly ListedRun[], style: TextStyle): string {
  return layOutRuns(runs, style).replaceAll(NO_BREAK, " ");
}

function layOutRuns(runs: readonly ListedRun[], style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  if (runs.length === 0) return "no runs";
  const named = runs.some(({ name }) => name !== undefined);
  const columns = [
    { title: "run" },
    ...(named ? [{ title: "name" }] : []),
    { title: "when (UTC)" },
    { title: "pipeline" },
    { title: "outcome" },
    { title: "took", align: "right" as const },
  ];
  const rows = runs.map((run) => [
    shortRunId(run.id),
    ...(named ? [run.name ?? ""] : []),
    formatMoment(run.startedAt),
    pipelineTitle(run),
    paintOutcome(run.outcome, palette),
    run.durationMs === undefined ? "" : formatDuration(run.durationMs),
  ]);
  const tails = runs.map((run) =>
    [stageCounts(run), run.sweep === undefined ? metricsText(run) : sweepText(run.sweep)]
      .filter((text) => text !== "")
      .join("  "),
  );
  const table = { columns, rows, paintTitle: palette.dim };
  const natural = renderTable(table, Number.MAX_SAFE_INTEGER);
  const widest = Math.max(...natural.map(textWidth));
  if (width - widest - GAP >= NARROWEST_TAIL) {
    const tail = { title: "stages, metrics", flexible: true as const };
    const more = rows.map((cells, index) => [...cells, tails[index]!]);
    return renderTable({ ...table, columns: [...columns, tail], rows: more }, width).join("\n");
  }
  const below = (index: number): string[] =>
    tails[index] === "" ? [] : breakText(tails[index]!, width - 2).map((line) => `  ${palette.dim(line)}`);
  const blocks =
    widest <= width
      ? natural.slice(1).map((line) => [line])
      : rows.map((cells) => renderTable({ ...table, rows: [cells] }, width));
  return [
    ...(widest <= width ? [natural[0]!] : []),
    ...blocks.flatMap((lines, index) => [...lines, ...below(index)]),
  ].join("\n");
}

/** `2 ran, 5 fresh`. */
function stageCounts({ stages }: ListedRun): string {
  const order = ["failed", "interrupted", "ran", "restored", "fresh", "skipped"] as const;
  return order.flatMap((outcome) => ((stages[outcome] ?? 0) > 0 ? [`${stages[outcome]} ${outcome}`] : [])).join(", ");
}

/** Each metric once where one stage has it, else by stage. */
function metricsText({ metrics }: ListedRun): string {
  const all = Object.entries(metrics).flatMap(([stage, values]) =>
    Object.entries(values).map(([name, value]) => ({ stage, name, value })),
  );
  return all
    .map(({ stage, name, value }) => {
      const alone = all.filter((other) => other.name === name).length === 1;
      // One item stays on one line.
      return `${alone ? "" : `${stage} `}${figureText(name, value)}`.replaceAll(" ", NO_BREAK);
    })
    .join("  ");
}

/** Of all its instances the best one. */
function sweepText(sweep: SweepRecord): string {
  const trials = `sweep of ${formatPlural(sweep.trials.length, "trial")}`;
  const best = bestTrial(sweep);
  const metric = sweep.objective?.metric;
  if (best === undefined || metric === undefined) return trials;
  const item = `best ${metric} ${metricText(metric, best.metrics[metric])}`.replaceAll(" ", NO_BREAK);
  return `${trials}  ${item}  ${best.name}`;
}

function paintOutcome(outcome: RunOutcome, palette: Palette): string {
  switch (outcome) {
    case "done":
      return palette.green(outcome);
    case "fresh":
      return palette.dim(outcome);
    case "failed":
      return palette.red(outcome);
    case "interrupted":
    case "unfinished":
      return palette.yellow(outcome);
    default:
      return outcome satisfies never;
  }
}
