/**
 * Rows of cells in aligned columns, for every view that lists things. Cells may be coloured; one column gives way in a
 * narrow window. Where even that is not enough, each row becomes a block of lines, so that no line is ever cut off.
 */
import { stripVTControlCharacters } from "node:util";
import { breakText } from "./break-text.ts";
import { padEnd, padStart, textWidth } from "./text-width.ts";

export interface TableColumn {
  readonly title: string;
  readonly align?: "right";
  /** Takes what width is left and wraps in it. At most one column. */
  readonly flexible?: true;
}

export interface Table {
  readonly columns: readonly TableColumn[];
  /** Cells by column. Those of the flexible column are uncoloured and may hold several lines. */
  readonly rows: readonly (readonly string[])[];
  /** Paint for the titles. */
  readonly paintTitle: (text: string) => string;
}

const gap = "  ";
const narrowest = 16;

/** Lines without a final break, none wider than `width`. */
export function renderTable(table: Table, width: number): string[] {
  const { columns, rows, paintTitle } = table;
  const natural = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...rows.flatMap((row) => (row[index] ?? "").split("\n").map(textWidth))),
  );
  const widths = columns.map((column, index) => {
    const own = natural[index] ?? 0;
    if (column.flexible !== true) return own;
    const others = natural.reduce((sum, other, at) => (at === index ? sum : sum + other), 0);
    return Math.min(own, Math.max(narrowest, width - others - gap.length * (columns.length - 1)));
  });
  const total = widths.reduce((sum, own) => sum + own, gap.length * (columns.length - 1));
  if (total > width) return renderBlocks(table, width);
  const line = (cells: readonly string[], paint: (text: string) => string): string =>
    columns
      .map(({ align }, index) => {
        const pad = align === "right" ? padStart : padEnd;
        return paint(pad(cells[index] ?? "", widths[index] ?? 0));
      })
      .join(gap)
      .trimEnd();

  const lines = columns.some(({ title }) => title !== "")
    ? [
        line(
          columns.map(({ title }) => title),
          paintTitle,
        ),
      ]
    : [];
  for (const row of rows) {
    const cells = row.map((cell, index) => (columns[index]?.flexible ? breakText(cell, widths[index] ?? 0) : [cell]));
    const height = Math.max(...cells.map((parts) => parts.length));
    for (let at = 0; at < height; at++) {
      lines.push(
        line(
          cells.map((parts) => parts[at] ?? ""),
          (text) => text,
        ),
      );
    }
  }
  return lines;
}

/** The first cell of a row on its own, the others below it with their titles. */
function renderBlocks({ columns, rows, paintTitle }: Table, width: number): string[] {
  const labelWidth = Math.min(Math.max(...columns.slice(1).map(({ title }) => textWidth(title)), 0), width >> 1);
  const fitted = (cell: string, room: number): string[] =>
    textWidth(cell) <= room && !cell.includes("\n") ? [cell] : breakText(stripVTControlCharacters(cell), room);
  return rows.flatMap(([first = "", ...rest]) => [
    ...(first === "" ? [] : fitted(first, width)),
    ...rest.flatMap((cell, index) => {
      if (cell === "") return [];
      const label = padEnd(columns[index + 1]!.title.slice(0, labelWidth), labelWidth);
      const margin = labelWidth === 0 ? "  " : `  ${label}${gap}`;
      return fitted(cell, Math.max(1, width - margin.length)).map(
        (line, at) => `${at === 0 ? `  ${paintTitle(margin.slice(2))}` : " ".repeat(margin.length)}${line}`,
      );
    }),
  ]);
}
