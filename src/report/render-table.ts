/** Rows of cells in aligned columns, for every view that lists things. Cells may be coloured; one column gives way in a narrow window. */
import { padEnd, padStart, textWidth, wrapText } from "./text-width.ts";

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

/** Lines without a final break, none wider than `width` unless a fixed column is. */
export function renderTable({ columns, rows, paintTitle }: Table, width: number): string[] {
  const natural = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...rows.flatMap((row) => (row[index] ?? "").split("\n").map(textWidth))),
  );
  const widths = columns.map((column, index) => {
    const own = natural[index] ?? 0;
    if (column.flexible !== true) return own;
    const others = natural.reduce((sum, other, at) => (at === index ? sum : sum + other), 0);
    return Math.min(own, Math.max(narrowest, width - others - gap.length * (columns.length - 1)));
  });
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
    const cells = row.map((cell, index) => (columns[index]?.flexible ? wrapText(cell, widths[index] ?? 0) : [cell]));
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
