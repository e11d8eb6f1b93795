/** A failed stage as people need it: what happened, what mends it, and the last its process wrote. */
import type { StageRecord } from "../record.ts";
import { createPalette } from "./ansi.ts";
import { formatDuration } from "./format-duration.ts";
import type { TextStyle } from "./reporter.ts";
import { printableLine, wrapText } from "./text-width.ts";

/** Lines without a final break. A stage that did not fail gives an empty text. */
export function renderFailure(record: StageRecord, style: TextStyle): string {
  const { failure } = record;
  if (failure === undefined) return "";
  const palette = createPalette(style.color);
  const width = Math.max(20, Math.min(style.columns, 120) - 1);
  const lines: string[] = [];

  const head = `${record.stage} failed after ${formatDuration(record.durationMs)}`;
  lines.push(palette.red(palette.bold(head)));
  for (const line of wrapText(failure.message, width - 2)) lines.push(`  ${line}`.trimEnd());
  if (failure.help !== undefined) {
    const help = wrapText(failure.help, width - 8);
    lines.push(...help.map((line, index) => (index === 0 ? `  ${palette.cyan("help:")} ${line}` : `        ${line}`)));
  }
  const output = failure.lastOutput.map(printableLine);
  if (output.length > 0) {
    lines.push("  last output:");
    lines.push(...output.map((line) => `  ${palette.dim("│")} ${line}`.trimEnd()));
  }
  if (failure.stack !== undefined) {
    lines.push("  thrown at:");
    lines.push(...stackFrames(failure.stack).map((line) => palette.dim(`    ${line}`)));
  }
  return lines.join("\n");
}

/** The frames of a stack, without the message that stands above already. */
function stackFrames(stack: string): string[] {
  const lines = stack.split("\n").map((line) => printableLine(line).trim());
  const frames = lines.filter((line) => line.startsWith("at "));
  return frames.length > 0 ? frames : lines;
}
