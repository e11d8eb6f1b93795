/** Finds the charts of a run in its artifacts of kind `charts`, and writes each as a figure: still picture and source. */
import { isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import type { OutputRecord, RunRecord } from "../../record.ts";
import { escapeHtml } from "../escape-html.ts";

/** How the report reads what a run made. */
export interface ReportArtifacts {
  /** Paths of an artifact's files; empty where it is gone. */
  list(digest: string): readonly string[];
  open(digest: string, path: string): Uint8Array | undefined;
}

export interface ReportChart {
  readonly stage: string;
  readonly name: string;
  readonly title: string;
  /** Absent where only a picture is kept. */
  readonly source?: { readonly grammar: "vega-lite" | "vega"; readonly spec: JsonObject; readonly data: JsonObject };
  readonly svg?: string;
}

export function findCharts(record: RunRecord, artifacts: ReportArtifacts): readonly ReportChart[] {
  return record.stages.flatMap(({ stage, outputs }) =>
    Object.values(outputs)
      .filter(({ kind }) => kind === "charts")
      .flatMap((output) => chartsOf(stage, output, artifacts)),
  );
}

function chartsOf(stage: string, output: OutputRecord, artifacts: ReportArtifacts): readonly ReportChart[] {
  const files = artifacts.list(output.digest);
  const found = new Set(files.flatMap((file) => /^(.*?)(?:\.v[lg]\.json|\.svg)$/.exec(file)?.[1] ?? []));
  const named = Array.isArray(output.facts.charts) ? output.facts.charts.filter((name) => found.has(name)) : [];
  const text = (path: string): string | undefined => {
    const bytes = files.includes(path) ? artifacts.open(output.digest, path) : undefined;
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };
  return [...new Set([...named, ...[...found].sort()])].map((name) => {
    const lite = text(`${name}.vl.json`);
    const spec = parseObject(lite ?? text(`${name}.vg.json`));
    const data = parseObject(text(`${name}.data.json`)) ?? {};
    const svg = text(`${name}.svg`);
    const grammar = lite === undefined ? "vega" : "vega-lite";
    return {
      stage,
      name,
      title: titleOf(spec) ?? name,
      ...(spec === undefined ? {} : { source: { grammar, spec, data } as const }),
      ...(svg === undefined ? {} : { svg }),
    };
  });
}

function parseObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  const value = JSON.parse(text) as JsonValue;
  return isJsonObject(value) ? value : undefined;
}

function titleOf(spec: JsonObject | undefined): string | undefined {
  const title = isJsonObject(spec?.title) ? spec.title.text : spec?.title;
  return typeof title === "string" ? title : undefined;
}

/** The still picture, which the script replaces where it can; `index` is the chart's place in `chartSources`. */
export function renderFigure(chart: ReportChart, index: number): string {
  const picture =
    chart.svg === undefined
      ? '<p class="soft">This chart needs scripts to be shown.</p>'
      : `<img alt="${escapeHtml(chart.title)}" src="data:image/svg+xml;base64,${Buffer.from(chart.svg).toString("base64")}">`;
  const save =
    chart.svg === undefined ? "" : `<a class="save" download="${escapeHtml(chart.name)}.svg" href="#">save as SVG</a>`;
  // Wide charts get more of a row; a little shrinking is better than a row of its own.
  const width = Number(/<svg[^>]*\swidth="([0-9.]+)"/.exec(chart.svg ?? "")?.[1] ?? 700);
  return (
    `<figure class="chart card" style="flex:${Math.round(width)} 1 ${Math.round(0.8 * width)}px" data-chart="${index}"><div class="view">${picture}</div>` +
    `<figcaption><span>${escapeHtml(chart.stage)} / ${escapeHtml(chart.name)}</span>${save}</figcaption></figure>`
  );
}

/** What the script needs, as the text of a JSON script element. */
export function chartSources(charts: readonly ReportChart[]): string {
  return JSON.stringify(
    charts.map(({ source, name }) => (source === undefined ? null : { name, ...source })),
  ).replaceAll("<", "\\u003c");
}

/**
 * The font that a chart's picture carries, under a name of its own: each holds only the characters of its chart, so two of
 * one name would lack each other's.
 */
export function chartFontFaces(charts: readonly ReportChart[]): string {
  return charts
    .flatMap(({ svg }, index) =>
      [...(svg ?? "").matchAll(/@font-face\{font-family:[^;]*;[^}]*\}/g)].map(([face]) =>
        face.replace(/font-family:[^;]*/, `font-family:chart-${index}`),
      ),
    )
    .join("");
}
