/** Where two runs part: the stage, the epoch, the minibatch, the tensor, and why. */
import type { Bisection, Cause, Parting, TrainingReplay } from "../cache/bisect-runs.ts";
import type { TrainingParting } from "../cache/compare-histories.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatCount } from "./format-count.ts";
import { differenceLines, jsonLines } from "./render-difference.ts";
import type { TextStyle } from "./reporter.ts";
import { runTitle } from "./run-title.ts";
import { truncate } from "./text-width.ts";

const LONGEST_VALUE = 60;
const MOST_CAUSES = 8;

/** Lines without a final break, none wider than the window. */
export function renderBisection(bisection: Bisection, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const { before, after, partings, following, same, onlyBefore, onlyAfter } = bisection;
  const runs = `${runTitle(before)} and ${runTitle(after)}`;
  const [first, ...rest] = partings;
  const lines =
    first === undefined
      ? breakText(`${runs}: no output of a stage that both have differs`, width, 2)
      : breakText(`${runs} part at ${first.stage}: ${classesOf(first)}`, width, 2).map((line) => palette.bold(line));
  if (first !== undefined) lines.push(...partingLines(first, width, palette));
  for (const parting of rest)
    lines.push(
      "",
      ...breakText(`${parting.stage} differs by itself, too: ${classesOf(parting)}`, width, 2).map(palette.bold),
      ...partingLines(parting, width, palette),
    );
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["differ because what they read does", following],
    ["the same", same],
    [`only in ${runTitle(before)}`, onlyBefore],
    [`only in ${runTitle(after)}`, onlyAfter],
  ];
  const told = lists.filter(([, names]) => names.length > 0);
  if (told.length > 0) lines.push("");
  for (const [title, names] of told)
    lines.push(...breakText(`${title}: ${names.join(", ")}`, width, 2).map(palette.dim));
  return lines.join("\n");
}

function classesOf({ causes }: Parting): string {
  return [...new Set(causes.map((cause) => cause.class))].join(", ");
}

function partingLines(
  { causes, reads, training, replay, differences, ended }: Parting,
  width: number,
  palette: Palette,
): string[] {
  const lines: string[] = [];
  for (const cause of causes.slice(0, MOST_CAUSES)) lines.push(...breakText(`  ${causeText(cause)}`, width, 4));
  if (causes.length > MOST_CAUSES) lines.push(`  and ${causes.length - MOST_CAUSES} more`);
  if (reads.length > 0) lines.push(...breakText(`  and what it reads differs: ${reads.join(", ")}`, width, 4));
  if (ended !== undefined)
    lines.push(...breakText(`  it ${ended.before} in the one and ${ended.after} in the other`, width, 4));
  if (training !== undefined)
    for (const text of trainingTexts(training)) lines.push(...breakText(`  ${text}`, width, 4).map(palette.cyan));
  if (replay !== undefined) lines.push(...replayLines(replay, width - 2).map((line) => `  ${line}`));
  if (training !== undefined && differences.length > 0) lines.push("  at the end:");
  const indent = training === undefined ? "  " : "    ";
  for (const difference of differences)
    for (const line of differenceLines(difference, width - indent.length)) lines.push(`${indent}${line}`);
  return lines;
}

/** The earliest state comes first. */
function replayLines({ checkpoint, replayed, stopped }: TrainingReplay, width: number): readonly string[] {
  const lines: string[] = [];
  if (replayed !== undefined) {
    const { epoch, minibatch, of, difference } = replayed;
    const place = `minibatch ${formatCount(minibatch)} of ${formatCount(of)} of epoch ${epoch}`;
    lines.push(...breakText(`executed again here, the two are first apart after ${place}:`, width, 2));
    lines.push(...differenceLines(difference, width - 2).map((line) => `  ${line}`));
  }
  if (stopped !== undefined) lines.push(...breakText(`there the search ends: ${stopped}`, width, 2));
  // Of a later state there is less to learn.
  if (checkpoint !== undefined && replayed === undefined) {
    lines.push(...breakText(`the checkpoints of ${checkpoint.name} are the first that differ:`, width, 2));
    lines.push(...differenceLines(checkpoint.difference, width - 2).map((line) => `  ${line}`));
  }
  return lines;
}

function causeText({ class: cause, difference, text }: Cause): string {
  if (difference === undefined) return `${cause}: ${text ?? ""}`;
  const { part, name, before, after } = difference;
  const isDigest = part === "input" || part === "code" || part === "tool";
  const shown = (value: string | undefined) =>
    value === undefined ? "(none)" : isDigest ? value.slice(0, 12) : truncate(value, LONGEST_VALUE);
  return `${cause}: ${part === "param" ? "" : `${part} `}${name} ${shown(before)} -> ${shown(after)}`;
}

function trainingTexts({ epochs, equalEpochs, minibatch, measured, incomparable }: TrainingParting): readonly string[] {
  if (incomparable !== undefined) return [`its epochs cannot be compared: ${incomparable}`];
  const which = equalEpochs === 1 ? "epoch 1 is" : `epochs 1 to ${equalEpochs} are`;
  const equal = equalEpochs === 0 ? [] : [`${which} equal, every loss and accuracy`];
  if (minibatch !== undefined) {
    const { minibatch: at, of, before, after } = minibatch;
    return [
      ...equal,
      `epoch ${equalEpochs + 1}: the first loss that differs is that of minibatch ${formatCount(at)} of ${formatCount(of)}, ${before} -> ${after}`,
    ];
  }
  if (measured !== undefined)
    return [
      ...equal,
      `epoch ${equalEpochs + 1}: every loss is equal, and what was measured behind it is not`,
      ...jsonLines(measured),
    ];
  return [...equal, `one goes on after epoch ${equalEpochs}: ${epochs.before} -> ${epochs.after} epochs`];
}
