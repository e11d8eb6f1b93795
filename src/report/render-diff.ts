/** What differs between two runs, section by section. What does not differ is named in one line at the end. */
import type {
  ComparedRun,
  DurationChange,
  NamedChange,
  OutcomeChange,
  RunComparison,
  StageChange,
} from "../cache/compare-runs.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { metricTable } from "./render-metrics.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { pipelineTitle, runTitle, shortRunId } from "./run-title.ts";
import { printableLine, truncate } from "./text-width.ts";

const LONGEST_VALUE = 200;
/** Of code and packages: more than these are counted. */
const MOST_LINES = 12;

/** Lines without a final break, none wider than the window. */
export function renderDiff(comparison: RunComparison, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const sections = sectionsOf(comparison, width - 2, palette);
  const lines = headLines(comparison, width, palette);
  for (const { title, body } of sections)
    if (body.length > 0) lines.push("", palette.bold(title), ...body.map((line) => `  ${line}`));
  const same = sections.filter(({ title, body }) => body.length === 0 && title !== NOT_KNOWN).map(({ title }) => title);
  if (same.length > 0) {
    const text = same.length === sections.length - 1 ? "nothing differs" : `the same: ${same.join(", ")}`;
    lines.push("", ...breakText(text, width).map(palette.dim));
  }
  return lines.join("\n");
}

const NOT_KNOWN = "not known";

interface Section {
  readonly title: string;
  readonly body: readonly string[];
}

function sectionsOf(comparison: RunComparison, width: number, palette: Palette): readonly Section[] {
  const changedMetrics = comparison.metrics.filter(({ before, after }) => before !== after);
  return [
    { title: "params", body: changeLines(comparison.params, width) },
    { title: "params of stages", body: stageLines(comparison.stageParams, width) },
    { title: "inputs", body: stageLines(comparison.inputs.map(shortened), width) },
    { title: "code", body: codeLines(comparison.code, width) },
    { title: "packages", body: capped(stageLines(merged(comparison.packages), width)) },
    { title: "engines", body: stageLines(merged(comparison.engines), width) },
    { title: "environment", body: changeLines(comparison.environment, width) },
    { title: "outcomes", body: outcomeLines(comparison.stages, width) },
    { title: "metrics", body: changedMetrics.length === 0 ? [] : metricTable(changedMetrics, width, palette) },
    { title: "artifacts", body: stageLines(comparison.artifacts.map(shortened), width, ".") },
    { title: "durations", body: durationLines(comparison.durations, width, palette) },
    {
      title: NOT_KNOWN,
      body: comparison.unknown.flatMap(({ stage, runId, reason }) => {
        const what = stage === undefined ? "" : `code, packages and inputs of ${stage}: `;
        return breakText(`${what}in the run ${shortRunId(runId)} ${reason}`, width, 2).map(palette.yellow);
      }),
    },
  ];
}

function headLines({ before, after }: RunComparison, width: number, palette: Palette): string[] {
  const line = (mark: string, run: ComparedRun): string[] => {
    const took = run.sameAs === undefined ? `took ${formatDuration(run.durationMs)}` : "had nothing to do";
    const exit = run.exitCode === 0 ? "" : `, exit code ${run.exitCode}`;
    return breakText(`${mark} ${pipelineTitle(run)}  ${runTitle(run)}  ${took}${exit}`, width, 2);
  };
  return [...line("-", before).map(palette.red), ...line("+", after).map(palette.green)];
}

function changeText({ name, before, after }: NamedChange): string {
  const show = (value: string | undefined) =>
    value === undefined ? "(none)" : truncate(printableLine(value.replaceAll("\n", " ")), LONGEST_VALUE);
  return `${name}  ${show(before)} -> ${show(after)}`;
}

function changeLines(changed: readonly NamedChange[], width: number): string[] {
  return changed.flatMap((change) => breakText(changeText(change), width, 4));
}

function stageLines(changed: readonly StageChange[], width: number, joint = " "): string[] {
  return changed.flatMap((change) => breakText(`${change.stage}${joint}${changeText(change)}`, width, 4));
}

/** One line per file: a file that many stages have says which. */
function codeLines(changed: readonly StageChange[], width: number): string[] {
  const files = new Map<string, { readonly text: string; readonly stages: string[] }>();
  for (const { stage, name, before, after } of changed) {
    const verb = before === undefined ? "new" : after === undefined ? "no longer used" : "edited";
    const key = `${name} ${verb}`;
    const entry = files.get(key) ?? { text: `${name} ${verb}`, stages: [] };
    entry.stages.push(stage);
    files.set(key, entry);
  }
  return capped(
    [...files.values()].flatMap(({ text, stages }) => breakText(`${text}  (${stages.join(", ")})`, width, 4)),
  );
}

/** The same change of many stages in one line. */
function merged(changed: readonly StageChange[]): readonly StageChange[] {
  const groups = new Map<string, { readonly change: StageChange; readonly stages: string[] }>();
  for (const change of changed) {
    const key = JSON.stringify([change.name, change.before, change.after]);
    const group = groups.get(key) ?? { change, stages: [] };
    group.stages.push(change.stage);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ change, stages }) => ({ ...change, stage: `${stages.join(", ")}:` }));
}

function capped(lines: readonly string[]): string[] {
  if (lines.length <= MOST_LINES) return [...lines];
  const more = formatPlural(lines.length - MOST_LINES, "more line");
  return [...lines.slice(0, MOST_LINES), `and ${more} (--json)`];
}

function outcomeLines(changed: readonly OutcomeChange[], width: number): string[] {
  return changed.flatMap(({ stage, before, after }) => {
    const show = (outcome: string | undefined) => outcome ?? "not part of it";
    return breakText(`${stage}  ${show(before)} -> ${show(after)}`, width, 4);
  });
}

function durationLines(changed: readonly DurationChange[], width: number, palette: Palette): string[] {
  if (changed.length === 0) return [];
  return renderTable(
    {
      columns: [
        { title: "stage" },
        { title: "before", align: "right" },
        { title: "after", align: "right" },
        { title: "change", align: "right" },
      ],
      rows: changed.map(({ stage, beforeMs, afterMs }) => [
        stage,
        formatDuration(beforeMs),
        formatDuration(afterMs),
        beforeMs <= 0 ? "" : percentage(afterMs / beforeMs - 1),
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
}

function percentage(ratio: number): string {
  const percent = Math.round(ratio * 100);
  return `${percent > 0 ? "+" : ""}${percent} %`;
}

function shortened(change: StageChange): StageChange {
  const short = (text: string | undefined) => text?.replace(/^[0-9a-f]{64}$/, (hex) => hex.slice(0, 12));
  const { before, after } = change;
  return {
    ...change,
    ...(before === undefined ? {} : { before: short(before)! }),
    ...(after === undefined ? {} : { after: short(after)! }),
  };
}
