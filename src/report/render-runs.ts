/** The runs that are kept, newest first: what ran, how it ended, how well it did. */
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatDuration } from "./format-duration.ts";
import { figureText } from "./format-figure.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { formatMoment, pipelineTitle, shortRunId } from "./run-title.ts";
import { textWidth } from "./text-width.ts";

/** `done`, `failed`, `interrupted`; `unfinished`: killed, or still going on; `nothing to do`: it found everything done. */
export type RunOutcome = "done" | "nothing to do" | "failed" | "interrupted" | "unfinished";

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
}

/** Metrics get a column where it would have this much room, else a line of their own. */
const NARROWEST_METRICS = 24;
const GAP = 2;

/** Lines without a final break, none wider than the window. */
export function renderRuns(runs: readonly ListedRun[], style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  if (runs.length === 0) return "no runs";
  const columns = [
    { title: "run" },
    { title: "name" },
    { title: "when (UTC)" },
    { title: "pipeline" },
    { title: "outcome" },
    { title: "took", align: "right" as const },
    { title: "stages" },
  ];
  const named = runs.some(({ name }) => name !== undefined);
  const cellsOf = (run: ListedRun) => [
    shortRunId(run.id),
    run.name ?? "",
    formatMoment(run.startedAt),
    pipelineTitle(run),
    paintOutcome(run.outcome, palette),
    run.durationMs === undefined ? "" : formatDuration(run.durationMs),
    stageCounts(run),
  ];
  const keep = <T>(cells: readonly T[]): T[] => cells.filter((_, index) => named || index !== 1);
  const table = { columns: keep(columns), paintTitle: palette.dim };
  const rows = runs.map((run) => keep(cellsOf(run)));
  const natural = renderTable({ ...table, rows }, Number.MAX_SAFE_INTEGER);
  const widest = Math.max(...natural.map(textWidth));
  const texts = runs.map(metricsText);
  if (width - widest - GAP >= NARROWEST_METRICS || texts.every((text) => text === "")) {
    const flexible = { title: texts.every((text) => text === "") ? "" : "metrics", flexible: true as const };
    const more = rows.map((cells, index) => [...cells, texts[index]!]);
    return renderTable(
      { ...table, columns: [...table.columns, ...(flexible.title === "" ? [] : [flexible])], rows: more },
      width,
    ).join("\n");
  }
  const below = (index: number) =>
    texts[index] === "" ? [] : breakText(texts[index]!, width - 4).map((line) => `    ${palette.dim(line)}`);
  if (widest <= width)
    return [natural[0]!, ...natural.slice(1).flatMap((line, index) => [line, ...below(index)])].join("\n");
  return rows
    .flatMap((cells, index) => [...renderTable({ ...table, rows: [cells] }, width), ...below(index)])
    .join("\n");
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
      return `${alone ? "" : `${stage} `}${figureText(name, value)}`;
    })
    .join("  ");
}

function paintOutcome(outcome: RunOutcome, palette: Palette): string {
  switch (outcome) {
    case "done":
      return palette.green(outcome);
    case "nothing to do":
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
