/** One stage of the report: a line that says what happened and why, and what lies behind it when opened. */
import type { StageOutcome, StageRecord } from "../../record.ts";
import { describeEngine } from "../describe-engine.ts";
import { escapeHtml } from "../escape-html.ts";
import { formatBytes } from "../format-bytes.ts";
import { formatDuration } from "../format-duration.ts";
import { formatFigure } from "../format-figure.ts";
import { nondeterminismText, withNondeterminism } from "../nondeterminism-text.ts";
import { renderPairs, renderParams } from "./report-table.ts";

const TONES: Readonly<Record<StageOutcome, string>> = {
  ran: "good",
  restored: "calm",
  fresh: "calm",
  failed: "bad",
  skipped: "quiet",
  interrupted: "due",
};

/** `longestMs` is what a full bar stands for. */
export function renderStage(stage: StageRecord, longestMs: number): string {
  const tone = TONES[stage.outcome];
  const share = ((100 * stage.durationMs) / longestMs).toFixed(1);
  const took = stage.durationMs > 0;
  const open = stage.failure === undefined ? "" : " open";
  const reason = escapeHtml(withNondeterminism(stage.reason, stage));
  return (
    `<details${open}><summary><b>${escapeHtml(stage.stage)}</b><span class="soft type">${escapeHtml(stage.stageType)}</span>` +
    `<span class="${tone}">${stage.outcome}</span><span class="time">${took ? formatDuration(stage.durationMs) : ""}</span>` +
    `<span class="track ${tone}">${took ? `<i style="width:${share}%"></i>` : ""}</span>` +
    `<span class="soft reason" title="${reason}">${reason}</span></summary>` +
    `<div class="inside">${renderInside(stage)}</div></details>`
  );
}

function renderInside(stage: StageRecord): string {
  const { metrics, measurements, outputs, engine, failure } = stage;
  const marked = nondeterminismText(stage);
  const figures = (values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([name, value]) => [name, formatFigure(name, value).value] as const);
  const blocks: (readonly [string, string])[] = [];
  if (Object.keys(stage.params).length > 0) blocks.push(["Params", renderParams(stage.params)]);
  if (Object.keys(metrics).length > 0) blocks.push(["Metrics", renderPairs(figures(metrics))]);
  if (Object.keys(measurements).length > 0)
    blocks.push(["Measured in that execution", renderPairs(figures(measurements))]);
  if (Object.keys(outputs).length > 0)
    blocks.push([
      "Outputs",
      renderPairs(
        Object.entries(outputs).map(([name, { kind, digest, sizeBytes }]) => [
          name === kind ? name : `${name} (${kind})`,
          `${formatBytes(sizeBytes)} · ${digest.slice(0, 12)}`,
        ]),
      ),
    ]);
  blocks.push([
    "Execution",
    renderPairs([
      ["reason", stage.reason],
      ...(marked === undefined ? [] : [["its result", marked] as const]),
      ...(stage.needs.length === 0 ? [] : [["needs", stage.needs.join(", ")] as const]),
      ...(engine === undefined ? [] : [["engine", describeEngine(engine)] as const]),
      ...(stage.fingerprint === undefined ? [] : [["fingerprint", stage.fingerprint.slice(0, 16)] as const]),
    ]),
  ]);
  const parts = blocks.map(([title, content]) => `<div><h3>${title}</h3>${content}</div>`);
  if (failure?.stack !== undefined)
    parts.push(`<div class="wide"><h3>Where it failed</h3><pre>${escapeHtml(failure.stack)}</pre></div>`);
  return parts.join("");
}
