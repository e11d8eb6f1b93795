/**
 * The lines of a text around a span, with the span marked:
 *
 *    30 |       epochs: 50
 *    31 |       lerningRate: 0.1
 *       |       ^^^^^^^^^^^
 *
 * Marks stand under the right columns for tabs, wide and combining characters; long lines are cut around the mark;
 * control characters of the text never reach the terminal.
 */
import type { Span } from "./span.ts";

const GUTTER = 5;
const TAB_COLUMNS = 4;
const LONGEST_LINE = 100;
/** Text kept before the mark when a line is cut. */
const CUT_BEFORE = 40;

/** Line and column from 1; columns count UTF-16 units, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The lines of a text: where each starts. Lines end in LF or CR LF. */
export interface LineTable {
  readonly text: string;
  readonly starts: readonly number[];
}

export function createLineTable(text: string): LineTable {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return { text, starts };
}

export function positionAt(lines: LineTable, offset: number): Position {
  let low = 0;
  let high = lines.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (lines.starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - lines.starts[low]! + 1 };
}

export interface CodeFrame {
  /** The text's lines, the marked one last. */
  readonly lines: readonly string[];
  readonly mark: string;
}

/** The line before the span where it has text, the span's first line, and the marks under it. */
export function codeFrame(lines: LineTable, span: Span): CodeFrame {
  const { line, column } = positionAt(lines, span.start);
  const raw = lineText(lines, line);
  const from = Math.min(column - 1, raw.length);
  const to = Math.max(from, Math.min(raw.length, from + (span.end - span.start)));
  const cells = layOut(raw);
  const start = cells.columnOf(from);
  const width = Math.max(1, cells.columnOf(to) - start);
  const window = cut(cells, start);
  const shown = [numbered(line, window.text)];
  const before = line > 1 ? lineText(lines, line - 1) : "";
  if (before.trim() !== "") shown.unshift(numbered(line - 1, cutEnd(layOut(before))));
  const marks = "^".repeat(Math.min(width, Math.max(1, LONGEST_LINE + 1 - window.markColumn)));
  return { lines: shown, mark: `${" ".repeat(GUTTER)} | ${" ".repeat(window.markColumn)}${marks}` };
}

function lineText(lines: LineTable, line: number): string {
  const start = lines.starts[line - 1]!;
  const end = lines.starts[line] === undefined ? lines.text.length : lines.starts[line]! - 1;
  const text = lines.text.slice(start, end);
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}

const numbered = (line: number, text: string): string => `${String(line).padStart(GUTTER)} | ${text}`.trimEnd();

interface Cells {
  /** One shown piece per code point, with the column it starts in. */
  readonly pieces: readonly { readonly text: string; readonly column: number; readonly width: number }[];
  readonly width: number;
  columnOf(index: number): number;
}

function layOut(raw: string): Cells {
  const pieces: { text: string; column: number; width: number }[] = [];
  const columns: number[] = [];
  let column = 0;
  for (const character of raw) {
    const text = character === "\t" ? " ".repeat(TAB_COLUMNS - (column % TAB_COLUMNS)) : printable(character);
    const width = character === "\t" ? text.length : characterWidth(text);
    for (let unit = 0; unit < character.length; unit++) columns.push(column);
    pieces.push({ text, column, width });
    column += width;
  }
  const width = column;
  return { pieces, width, columnOf: (index) => columns[index] ?? width };
}

/** The part of a long line around the mark, and the column of the mark in it. */
function cut(cells: Cells, mark: number): { readonly text: string; readonly markColumn: number } {
  if (cells.width <= LONGEST_LINE) return { text: join(cells, 0, cells.width), markColumn: mark };
  const wanted = mark < LONGEST_LINE - CUT_BEFORE ? 0 : mark - CUT_BEFORE;
  const first = cells.pieces.find(({ column }) => column >= wanted)?.column ?? 0;
  const last = first + LONGEST_LINE;
  const text = `${first > 0 ? "…" : ""}${join(cells, first, last)}${last < cells.width ? "…" : ""}`;
  return { text, markColumn: mark - first + (first > 0 ? 1 : 0) };
}

const cutEnd = (cells: Cells): string =>
  cells.width <= LONGEST_LINE ? join(cells, 0, cells.width) : `${join(cells, 0, LONGEST_LINE)}…`;

function join(cells: Cells, first: number, last: number): string {
  let text = "";
  for (const piece of cells.pieces) if (piece.column >= first && piece.column + piece.width <= last) text += piece.text;
  return text;
}

/** Control characters become their pictures, so that no text can steer the terminal. */
function printable(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  if ((code > 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
    return "\ufffd";
  return character;
}

/** Columns a terminal gives a code point (Unicode Standard Annex 11, coarsely). */
function characterWidth(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/[\p{Mn}\p{Me}\p{Cf}]/u.test(character)) return 0;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];
