/** The end of a run in words: what was done, what came out, where it is, what went wrong, what to do next. */
import type { RunRecord, StageOutcome, StageRecord } from "../record.ts";
import { createPalette } from "./ansi.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { nondeterminismLines } from "./nondeterminism-text.ts";
import { renderFailure } from "./render-failure.ts";
import type { ReportSettings, TextStyle } from "./reporter.ts";
import { shortRunId } from "./run-title.ts";
import { metricTexts } from "./stage-line.ts";
import { padEnd, textWidth, wrapText } from "./text-width.ts";

export interface Summary {
  readonly record: RunRecord;
  /** About the run or the cache as a whole; those of stages are in their records. */
  readonly warnings: readonly { readonly message: string; readonly help?: string }[];
}

/** Lines without a final break. A run in which nothing had to be done takes two lines. */
export function renderSummary({ record, warnings }: Summary, style: TextStyle, settings: ReportSettings = {}): string {
  const palette = createPalette(style.color);
  const width = Math.max(20, Math.min(style.columns, 120) - 1);
  const folder = settings.resultsFolder ?? defaultResultsFolder(record);
  const counts = countOutcomes(record.stages);
  const took = formatDuration(record.durationMs);

  if (counts.fresh === record.stages.length && record.exitCode === 0 && warnings.length === 0) {
    const what =
      record.stages.length === 1 ? "1 stage, fresh" : `${formatPlural(record.stages.length, "stage")}, all fresh`;
    const marked = nondeterminismLines(record.stages).flatMap((line) => wrapText(line, width - 4));
    return [
      `${palette.green("✓")} ${runLabel(record)}: ${what}, nothing to do (${took})`,
      ...marked.map((line) => `  ${palette.yellow("!")} ${line}`),
      `  results  ${folder}/`,
    ].join("\n");
  }

  const lines = [palette.bold(`${headline(record, counts)} in ${took}`)];
  const measured = record.stages.filter(({ metrics }) => Object.keys(metrics).length > 0);
  const labelWidth = Math.max(8, ...(record.sweep === undefined ? measured : []).map(({ stage }) => textWidth(stage)));
  const labelled = (label: string, text: string): string[] =>
    wrapText(text, width - 4 - labelWidth).map(
      (line, index) => `  ${padEnd(index === 0 ? label : "", labelWidth)}  ${unglue(line.trim())}`,
    );

  // Of a sweep its trials are told beside each other.
  if (record.sweep === undefined)
    for (const stage of measured) lines.push(...labelled(stage.stage, metricTexts(stage).map(glue).join("  ")));
  for (const line of warningLines(record.stages, warnings, width - 4)) {
    lines.push(`  ${line.replace(/^!/, palette.yellow("!"))}`);
  }
  for (const stage of record.stages) {
    if (stage.failure !== undefined) lines.push("", renderFailure(stage, style));
  }
  if (counts.failed > 0) lines.push("");
  if (counts.fresh + counts.restored + counts.ran > 0) lines.push(...labelled("results", glue(`${folder}/`)));
  if (settings.reportFile !== undefined) lines.push(...labelled("report", glue(settings.reportFile)));
  const suffix = settings.commandSuffix ?? record.profiles.map((name) => ` --profile ${name}`).join("");
  if (record.name !== undefined) lines.push(...labelled("run", glue(`${record.name} (${shortRunId(record.id)})`)));
  const next = record.sweep === undefined ? nextHint(record, counts, suffix) : undefined;
  if (next !== undefined) lines.push(...labelled("next", next));
  return lines.join("\n");
}

/** `resnet34 (quick)`. */
export function runLabel({ pipeline, profiles }: { pipeline: string; profiles: readonly string[] }): string {
  return profiles.length === 0 ? pipeline : `${pipeline} (${profiles.join(", ")})`;
}

function defaultResultsFolder({ pipeline, profiles }: RunRecord): string {
  return `artifacts/${[pipeline, ...profiles].join("@")}`;
}

type OutcomeCounts = Readonly<Record<StageOutcome, number>>;

function countOutcomes(stages: readonly StageRecord[]): OutcomeCounts {
  const counts = { ran: 0, restored: 0, fresh: 0, failed: 0, skipped: 0, interrupted: 0 };
  for (const { outcome } of stages) counts[outcome]++;
  return counts;
}

function headline(record: RunRecord, counts: OutcomeCounts): string {
  const order: readonly StageOutcome[] = ["failed", "interrupted", "skipped", "ran", "restored", "fresh"];
  const parts = order.filter((outcome) => counts[outcome] > 0).map((outcome) => `${counts[outcome]} ${outcome}`);
  return `${runLabel(record)}: ${parts.length === 0 ? "no stages" : parts.join(", ")}`;
}

/** Each warning once, however many stages gave it. */
function warningLines(stages: readonly StageRecord[], warnings: Summary["warnings"], width: number): string[] {
  const texts = [
    ...warnings.map(({ message, help }) => (help === undefined ? message : `${message}\nhelp: ${help}`)),
    ...stages.flatMap((stage) => stage.warnings.map((line) => `${stage.stage}: ${line}`)),
    ...nondeterminismLines(stages),
  ];
  return [...new Set(texts)].flatMap((text) =>
    wrapText(text, width).map((line, index) => (index === 0 ? `! ${line}` : `  ${line}`)),
  );
}

function nextHint(record: RunRecord, counts: OutcomeCounts, suffix: string): string | undefined {
  if (counts.failed > 0) return "mend it and run the same command again: finished stages are kept";
  if (counts.interrupted > 0 || record.exitCode === 130) {
    return "run the same command again to go on: finished stages and checkpoints are kept";
  }
  const shown = record.stages.findLast(({ outcome, metrics }) => outcome === "ran" && Object.keys(metrics).length > 0);
  const ran = shown ?? record.stages.findLast(({ outcome }) => outcome === "ran");
  return ran === undefined ? undefined : `pipe show ${ran.stage}${suffix}`;
}

/** Keeps the spaces of an item together while lines are broken. */
function glue(text: string): string {
  return text.replaceAll(" ", "\u00a0");
}

function unglue(text: string): string {
  return text.replaceAll("\u00a0", " ");
}
