/** One line per stage: how a stage that is done, running or waiting is shown, on its own terms of width and colour. */
import type { Progress } from "../contract.ts";
import type { PlannedStage, StageOutcome, StageRecord } from "../record.ts";
import type { Palette } from "./ansi.ts";
import { formatBytes } from "./format-bytes.ts";
import { formatCount } from "./format-count.ts";
import { formatDuration, formatWholeSeconds } from "./format-duration.ts";
import { figureText } from "./format-figure.ts";
import { withNondeterminism } from "./nondeterminism-text.ts";
import type { RunningStage } from "./run-view.ts";
import { padEnd, padStart, printableLine, textWidth, truncate } from "./text-width.ts";

const marks: Readonly<Record<StageOutcome, string>> = {
  fresh: "=",
  restored: "↓",
  ran: "✓",
  failed: "✗",
  skipped: "-",
  interrupted: "■",
};

export interface StageLineLayout {
  readonly palette: Palette;
  readonly columns: number;
  /** Cells that names are padded and cut to. */
  readonly nameWidth: number;
}

/** Cells for the names of `stages`: as wide as the widest, but never more than a third of the line. */
export function nameWidthFor(stages: readonly { readonly stage: string }[], columns: number): number {
  const widest = Math.max(0, ...stages.map(({ stage }) => textWidth(stage)));
  return Math.min(widest, Math.max(8, Math.floor(columns / 3)));
}

export function outcomeMark(outcome: StageOutcome, palette: Palette): string {
  return outcomePaint(outcome, palette)(marks[outcome]);
}

function outcomePaint(outcome: StageOutcome, palette: Palette): (text: string) => string {
  if (outcome === "ran" || outcome === "restored") return palette.green;
  if (outcome === "failed") return palette.red;
  return outcome === "interrupted" ? palette.yellow : palette.dim;
}

/** A stage that is done: `✓ train     ran       4 m 05 s  validAccuracy 51.20 %`. */
export function settledLine(record: StageRecord, { palette, columns, nameWidth }: StageLineLayout): string {
  const name = padEnd(truncate(record.stage, nameWidth), nameWidth);
  const outcome = padEnd(record.outcome, 8);
  const tail = truncate(settledTail(record), columns - 1 - (2 + nameWidth + 2 + 8 + 2));
  const paint = outcomePaint(record.outcome, palette);
  const paintName = record.outcome === "fresh" || record.outcome === "skipped" ? palette.dim : palette.bold;
  return `${paint(marks[record.outcome])} ${paintName(name)}  ${paint(outcome)}  ${tail}`.trimEnd();
}

/** What deserves to be said about a stage that is done, beside its outcome. */
export function settledTail(record: StageRecord): string {
  return withNondeterminism(outcomeTail(record), record);
}

function outcomeTail(record: StageRecord): string {
  switch (record.outcome) {
    case "ran":
      return [formatDuration(record.durationMs), ...metricTexts(record)].join("  ");
    case "fresh":
    case "restored":
      return metricTexts(record).join("  ");
    case "failed":
      return [formatDuration(record.durationMs), firstLine(record.failure?.message ?? "")].join("  ");
    case "interrupted":
      return formatDuration(record.durationMs);
    case "skipped":
      return record.reason;
    default:
      return record.outcome satisfies never;
  }
}

export function metricTexts(record: StageRecord): string[] {
  return Object.entries(record.metrics).map(([name, value]) => figureText(name, value));
}

/** The epoch is in the phase, and the ETA has a place of its own. */
const shownElsewhere: ReadonlySet<string> = new Set(["epoch", "etaSeconds"]);

/** What a running stage tells, most telling first: `epoch 3/6`, `loss 1.234`, `210 img/s`, `400/840 steps`. */
export function progressTexts(progress: Progress): string[] {
  const figures = Object.entries(progress.figures ?? {})
    .filter(([name]) => !shownElsewhere.has(name))
    .map(([name, value]) => figureText(name, value));
  return [printableLine(progress.phase), ...figures, doneText(progress)].filter((text) => text !== "");
}

function doneText({ done, total, unit }: Progress): string {
  if (unit === "bytes")
    return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
  return `${formatCount(done)}${total === undefined ? "" : `/${formatCount(total)}`} ${unit}`.trimEnd();
}

/**
 * A stage at work: mark, name, bar, percentage, as much of what it tells as fits, elapsed, ETA. A second line holds what
 * did not fit and the newest line it wrote. The times have columns of their own, so nothing jumps as they grow.
 */
export function runningLines(
  running: RunningStage,
  times: { readonly nowMs: number; readonly remainingMs: number | undefined },
  { palette, columns, nameWidth }: StageLineLayout,
): string[] {
  const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[Math.floor(times.nowMs / 100) % 10] ?? "⠋";
  const name = padEnd(truncate(running.stage, nameWidth), nameWidth);
  const elapsed = padStart(formatWholeSeconds(times.nowMs - running.startedAtMs), 8);
  const eta = times.remainingMs === undefined ? "" : `ETA ${formatWholeSeconds(times.remainingMs + 999)}`;
  const fraction = running.meter.fraction;
  const percentage = fraction === undefined ? "    " : padStart(`${Math.floor(fraction * 100)}%`, 4);
  // In a narrow window the bar goes first, then the ETA.
  const barWidth = columns < 64 ? 0 : Math.min(24, Math.max(8, Math.floor((columns - 60) / 2)));
  const etaWidth = columns < 48 ? 0 : 14;

  const items = running.holder === undefined ? [] : [`waits for ${printableLine(running.holder)}`];
  if (running.progress !== undefined) items.push(...progressTexts(running.progress));
  const before = `${palette.cyan(spinner)} ${palette.bold(name)}  ${barWidth === 0 ? "" : `${bar(fraction, barWidth, palette)} `}${percentage}`;
  const budget = columns - 1 - textWidth(before) - 2 - 2 - 8 - (etaWidth === 0 ? 0 : 2 + etaWidth);
  const { fitting, rest } = fitItems(items, budget);
  const told = budget > 0 ? [padEnd(fitting, budget)] : [];
  const first = [before, ...told, elapsed, ...(etaWidth === 0 || eta === "" ? [] : [palette.cyan(eta)])].join("  ");
  const more = [...rest, ...(running.lastLine === undefined ? [] : [running.lastLine])].join("  ");
  if (more === "") return [first];
  return [first, palette.dim(`  ${padEnd("", nameWidth)}  ${truncate(more, columns - 1 - (4 + nameWidth))}`)];
}

/** A stage that has not begun: `· evaluate  waits for train`. */
export function waitingLine(
  planned: PlannedStage,
  waitsFor: readonly string[],
  { palette, columns, nameWidth }: StageLineLayout,
): string {
  const name = padEnd(truncate(planned.stage, nameWidth), nameWidth);
  const text = waitsFor.length > 0 ? `waits for ${waitsFor.join(", ")}` : "waiting";
  return palette.dim(`· ${name}  ${truncate(text, columns - 1 - (4 + nameWidth))}`);
}

function bar(fraction: number | undefined, width: number, palette: Palette): string {
  if (fraction === undefined) return palette.dim("─".repeat(width));
  const filled = Math.floor(fraction * width);
  return palette.green("━".repeat(filled)) + palette.dim("─".repeat(width - filled));
}

/** As many of `items` as fit into `width` cells, in order: a later, shorter one does not jump ahead. */
function fitItems(items: readonly string[], width: number): { fitting: string; rest: readonly string[] } {
  let fitting = "";
  for (const [index, item] of items.entries()) {
    const next = fitting === "" ? item : `${fitting}  ${item}`;
    if (textWidth(next) > width) return { fitting, rest: items.slice(index) };
    fitting = next;
  }
  return { fitting, rest: [] };
}

export function firstLine(text: string): string {
  return printableLine(text.split("\n")[0] ?? "");
}
