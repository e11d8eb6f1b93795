/**
 * A run as one HTML file that needs nothing beside it: no network, no folder, no server. Graph, charts, metrics, what each
 * stage did and why, params, environment. The charts are live where the reader's browser runs scripts, else pictures.
 */
import type { RunRecord, StageOutcome, StageRecord } from "../../record.ts";
import { renderDagSvg } from "../dag-svg.ts";
import { describeEngine } from "../describe-engine.ts";
import { escapeHtml } from "../escape-html.ts";
import { formatBytes } from "../format-bytes.ts";
import { formatPlural } from "../format-count.ts";
import { formatDuration } from "../format-duration.ts";
import { formatFigure } from "../format-figure.ts";
import { nondeterminismLines } from "../nondeterminism-text.ts";
import { bestTrial } from "../render-sweep.ts";
import {
  chartFontFaces,
  chartSources,
  findCharts,
  type ReportArtifacts,
  type ReportChart,
  renderFigure,
} from "./report-charts.ts";
import { REPORT_SCRIPT } from "./report-script.ts";
import { renderStage } from "./report-stage.ts";
import { REPORT_STYLE } from "./report-style.ts";
import { renderTrials, stagesToShow } from "./report-sweep.ts";
import { renderPairs, renderParams } from "./report-table.ts";
import { readVegaRuntime, type VegaRuntime } from "./vega-runtime.ts";

export type { ReportArtifacts };

/** Charts that cannot be read are left out; without a runtime they are pictures. */
export function renderReport(
  record: RunRecord,
  artifacts: ReportArtifacts,
  readRuntime: () => VegaRuntime | undefined = readVegaRuntime,
  sweepChart?: ReportChart,
): string {
  const { sweep } = record;
  const best = sweep && bestTrial(sweep);
  const isShown = sweep === undefined ? () => true : stagesToShow(sweep);
  const shown: RunRecord = { ...record, stages: record.stages.filter(({ stage }) => isShown(stage)) };
  const own = findCharts(shown, artifacts);
  // The script finds a chart by its place.
  const charts = sweepChart === undefined ? own : [...own, sweepChart];
  const runtime = charts.some(({ source }) => source !== undefined) ? readRuntime() : undefined;
  const sections = [
    renderHead(record),
    ...renderFailures(record),
    ...(sweep === undefined
      ? []
      : [
          section(
            "Sweep",
            (sweepChart === undefined ? "" : renderFigure(sweepChart, own.length)) + renderTrials(sweep),
          ),
        ]),
    best === undefined ? renderMetrics(shown) : section("Metrics of the best trial", renderMetrics(shown)),
    ...renderWarnings(record),
    section("Stage graph", `<div class="card graph">${renderGraph(record)}</div>`),
    own.length === 0
      ? ""
      : section(
          best === undefined ? "Charts" : "Charts of the best trial",
          `<div class="charts">${own.map((c, i) => renderFigure(c, i)).join("")}</div>`,
        ),
    section("Stage by stage", `<div class="card stages">${renderStages(record)}</div>`),
    `<div class="pair">${section("Params", `<div class="card">${renderParams(record.params)}</div>`)}${section("Environment", `<div class="card">${renderEnvironment(record)}</div>`)}</div>`,
    `<footer>Written by tfpipe ${escapeHtml(record.environment.tfpipe)}. This file needs nothing beside it.</footer>`,
  ];
  const scripts =
    runtime === undefined
      ? ""
      : `<script>${asScript(runtime.vega)}</script><script>${asScript(runtime.vegaLite)}</script>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(record.pipeline)} · ${escapeHtml(record.id)}</title>
<style>${chartFontFaces(charts)}${REPORT_STYLE}</style>
</head>
<body>
<main>
${sections.filter((text) => text !== "").join("\n")}
</main>
<div id="tip" hidden></div>
<script type="application/json" id="chart-sources">${chartSources(charts)}</script>
${scripts}<script>${REPORT_SCRIPT}</script>
</body>
</html>
`;
}

function renderHead(record: RunRecord): string {
  const [word, tone] = outcomeOf(record);
  const profiles = record.profiles.map((profile) => `<span class="chip">${escapeHtml(profile)}</span>`).join("");
  const started = record.startedAt.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
  return (
    `<header><div class="head"><h1>${escapeHtml(record.pipeline)}</h1>${profiles}<span class="pill ${tone}">${word}</span></div>` +
    `<p class="sub">${escapeHtml(started)} · ${formatDuration(record.durationMs)} · ${outcomeCounts(record)} · run <code>${escapeHtml(record.id)}</code></p></header>`
  );
}

function outcomeOf({ exitCode, stages }: RunRecord): readonly [string, string] {
  if (exitCode === 130 || stages.some(({ outcome }) => outcome === "interrupted")) return ["interrupted", "due"];
  if (exitCode !== 0 || stages.some(({ outcome }) => outcome === "failed")) return ["failed", "bad"];
  return ["done", "good"];
}

/** `4 ran, 3 fresh`. */
function outcomeCounts({ stages }: RunRecord): string {
  const order: readonly StageOutcome[] = ["ran", "restored", "fresh", "failed", "interrupted", "skipped"];
  const counts = order.map((outcome) => [outcome, stages.filter((stage) => stage.outcome === outcome).length] as const);
  const parts = counts.filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`);
  return `${formatPlural(stages.length, "stage")}: ${parts.join(", ")}`;
}

function renderMetrics({ stages }: RunRecord): string {
  const cards = stages.flatMap(({ stage, metrics }) =>
    Object.entries(metrics).map(([name, value]) => {
      const figure = formatFigure(name, value);
      const label = [stage, figure.label].filter((part) => part !== "").join(" · ");
      return `<div class="card metric"><b>${escapeHtml(figure.value)}</b><span>${escapeHtml(label)}</span></div>`;
    }),
  );
  return cards.length === 0 ? "" : `<div class="metrics">${cards.join("")}</div>`;
}

function renderFailures({ stages }: RunRecord): readonly string[] {
  return stages.flatMap(({ stage, failure }) => {
    if (failure === undefined) return [];
    const help = failure.help === undefined ? "" : `<p class="soft">${escapeHtml(failure.help)}</p>`;
    const output = failure.lastOutput.length === 0 ? "" : `<pre>${escapeHtml(failure.lastOutput.join("\n"))}</pre>`;
    return `<div class="card note failure"><p><b class="bad">${escapeHtml(stage)} failed:</b> ${escapeHtml(failure.message)}</p>${help}${output}</div>`;
  });
}

function renderWarnings({ stages }: RunRecord): readonly string[] {
  const note = (text: string) => `<div class="card note"><p>${text}</p></div>`;
  return [
    ...stages.flatMap(({ stage, warnings }) =>
      warnings.map((line) => note(`<b class="due">${escapeHtml(stage)}:</b> ${escapeHtml(line)}`)),
    ),
    ...nondeterminismLines(stages).map((line) => note(escapeHtml(line))),
  ];
}

/** In a drawing of more nobody sees anything. */
const MOST_DRAWN = 300;

function renderGraph({ stages }: RunRecord): string {
  const drawn = stages.length <= MOST_DRAWN ? stages : busyStages(stages);
  const all = formatPlural(stages.length, "stage");
  if (drawn.length > MOST_DRAWN)
    return `<p>${all} are too many to see in a drawing; <code>pipe dag --format svg</code> draws them.</p>`;
  const note = drawn === stages ? "" : `<p>Of ${all} those that the run was busy with, and what they need.</p>`;
  const svg = renderDagSvg(
    drawn.map(({ stage, stageType, needs, outcome, durationMs }) => ({
      stage,
      stageType,
      needs,
      state: outcome,
      ...(durationMs > 0 ? { durationMs } : {}),
    })),
  );
  return note + svg;
}

function busyStages(stages: readonly StageRecord[]): readonly StageRecord[] {
  const busy = stages.filter(({ outcome }) => outcome !== "fresh");
  const shown = new Set(busy.flatMap(({ stage, needs }) => [stage, ...needs]));
  return stages.filter(({ stage }) => shown.has(stage));
}

/** Of very many stages those that were fresh are named only: nobody opens them one by one. */
function renderStages({ stages }: RunRecord): string {
  const longest = stages.reduce((most, { durationMs }) => Math.max(most, durationMs), 1);
  const isTold = ({ outcome }: StageRecord) => stages.length <= MOST_DRAWN || outcome !== "fresh";
  const fresh = stages.filter((stage) => !isTold(stage)).map(({ stage }) => escapeHtml(stage));
  return (
    stages
      .filter(isTold)
      .map((stage) => renderStage(stage, longest))
      .join("") +
    (fresh.length === 0
      ? ""
      : `<details><summary><b>${formatPlural(fresh.length, "fresh stage")}</b></summary><div class="inside"><p class="wide">${fresh.join(", ")}</p><p class="wide soft"><code>pipe show STAGE</code> tells what one of them made.</p></div></details>`)
  );
}

function renderEnvironment({ environment, stages }: RunRecord): string {
  const engines = new Set(stages.flatMap(({ engine }) => (engine === undefined ? [] : [describeEngine(engine)])));
  return renderPairs([
    ...[...engines].map((engine) => ["engine", engine] as const),
    ["processor", `${environment.cpu} (${formatPlural(environment.cores, "core")})`],
    ["memory", formatBytes(environment.memoryBytes)],
    ["platform", `${environment.platform} ${environment.architecture}`],
    ["Node.js", environment.node],
    ["tfpipe", environment.tfpipe],
  ]);
}

function section(title: string, content: string): string {
  return `<section><h2>${title}</h2>${content}</section>`;
}

/** A script's text must not end its element. */
function asScript(source: string): string {
  return source.replace(/<(\/script|!--)/gi, "\\x3c$1");
}
