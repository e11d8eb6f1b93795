/** Diagnostics as plain data for editors and other programs: lines and columns from 1, columns in UTF-16 units. */
import { createLineTable, type LineTable, positionAt } from "./code-frame.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Span } from "./span.ts";

export interface PlacedDiagnostic extends Place {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly help?: string;
  /** Other places involved. */
  readonly notes: readonly PlacedNote[];
}

export interface PlacedNote extends Place {
  readonly message: string;
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Of the first character that is not in it. */
  readonly endLine: number;
  readonly endColumn: number;
}

/** `texts` holds what each span's `file` points into. */
export function placeDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: ReadonlyMap<string, string>,
): readonly PlacedDiagnostic[] {
  const tables = new Map<string, LineTable>();
  const place = ({ file, start, end }: Span): Place => {
    const table = tables.get(file) ?? createLineTable(texts.get(file) ?? "");
    tables.set(file, table);
    const [from, to] = [positionAt(table, start), positionAt(table, end)];
    return { file, line: from.line, column: from.column, endLine: to.line, endColumn: to.column };
  };
  return diagnostics.map(({ code, severity, message, help, span, notes }) => ({
    ...place(span),
    code,
    severity,
    message,
    ...(help === undefined ? {} : { help }),
    notes: notes.map((note) => ({ ...place(note.span), message: note.message })),
  }));
}
