/** Headline metrics of a run, and the difference of two runs': for a terminal, as CSV and as a Markdown table. */
import type { MetricChange } from "../cache/compare-runs.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { formatFigure, formatNumber } from "./format-figure.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";

export interface StageMetric {
  readonly stage: string;
  readonly name: string;
  readonly value: number;
}

export type TableFormat = "csv" | "md";

/** Lines without a final break, none wider than the window. */
export function renderMetrics(metrics: readonly StageMetric[], title: string, style: TextStyle): string {
  const palette = createPalette(style.color);
  const rows = metrics.map(({ stage, name, value }, index) => [
    metrics[index - 1]?.stage === stage ? "" : stage,
    name,
    formatFigure(name, value).value,
    exactText(name, value),
  ]);
  const columns = [
    { title: "stage" },
    { title: "metric" },
    { title: "value", align: "right" as const },
    { title: "exactly", align: "right" as const },
  ];
  const table = renderTable({ columns, rows, paintTitle: palette.dim }, style.columns - 1);
  return [palette.bold(title), "", ...table].join("\n");
}

/** Before, after and difference of each, for a section of `diff` or a view of its own. */
export function metricTable(changes: readonly MetricChange[], width: number, palette: Palette): string[] {
  return renderTable(
    {
      columns: [
        { title: "stage" },
        { title: "metric" },
        { title: "before", align: "right" },
        { title: "after", align: "right" },
        { title: "difference", align: "right" },
      ],
      rows: changes.map(({ stage, name, before, after, difference }, index) => [
        changes[index - 1]?.stage === stage ? "" : stage,
        name,
        before === undefined ? "-" : formatFigure(name, before).value,
        after === undefined ? "-" : formatFigure(name, after).value,
        difference === undefined ? "" : differenceText(name, difference),
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
}

/** Every value in full, for programs: RFC 4180 without a carriage return. */
export function metricsAsTable(metrics: readonly StageMetric[], format: TableFormat): string {
  return asTable(
    ["stage", "metric", "value"],
    metrics.map(({ stage, name, value }) => [stage, name, String(value)]),
    format,
  );
}

export function metricChangesAsTable(changes: readonly MetricChange[], format: TableFormat): string {
  const text = (value: number | undefined) => (value === undefined ? "" : String(value));
  return asTable(
    ["stage", "metric", "before", "after", "difference"],
    changes.map(({ stage, name, before, after, difference }) => [
      stage,
      name,
      text(before),
      text(after),
      text(difference),
    ]),
    format,
  );
}

function asTable(titles: readonly string[], rows: readonly (readonly string[])[], format: TableFormat): string {
  const NUMBERS_FROM = 2;
  switch (format) {
    case "csv":
      return [titles, ...rows].map((row) => row.map(csvCell).join(",")).join("\n");
    case "md": {
      const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
      const rule = titles.map((_, index) => (index < NUMBERS_FROM ? "---" : "---:"));
      return [line(titles), line(rule), ...rows.map((row) => line(row.map(markdownCell)))].join("\n");
    }
    default:
      return format satisfies never;
  }
}

export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function markdownCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** Signed; in points of a percentage where the metric is shown as one. */
export function differenceText(name: string, difference: number): string {
  if (difference === 0) return "=";
  const sign = difference > 0 ? "+" : "-";
  const size = Math.abs(difference);
  if (formatFigure(name, 0.5).value.endsWith(" %")) return `${sign}${(size * 100).toFixed(2)} points`;
  return `${sign}${formatNumber(size)}`;
}

/** The whole number where formatting it lost digits. */
function exactText(name: string, value: number): string {
  const exact = String(value);
  return formatFigure(name, value).value.replaceAll(",", "") === exact ? "" : exact;
}
