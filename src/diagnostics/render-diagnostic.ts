/**
 * Diagnostics as a screen of text. The only place where they are laid out; what they say is in `catalog.ts`.
 */
import { codeFrame, createLineTable, type LineTable, positionAt } from "./code-frame.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Span } from "./span.ts";

export interface RenderOptions {
  readonly color: boolean;
}

/** More than this many say no more. */
const MOST_SHOWN = 50;

/**
 * All of them in the order of the text, and a last line that counts. `texts` holds what each span's `file` points into;
 * a span into an unknown text is shown without a frame.
 */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: ReadonlyMap<string, string>,
  options: RenderOptions,
): string {
  const tables = new Map<string, LineTable>();
  const tableOf = (file: string): LineTable | undefined => {
    const text = texts.get(file);
    if (text !== undefined && !tables.has(file)) tables.set(file, createLineTable(text));
    return tables.get(file);
  };
  const fileOrder = [...texts.keys()];
  const ordered = [...diagnostics].sort(
    (a, b) => fileOrder.indexOf(a.span.file) - fileOrder.indexOf(b.span.file) || a.span.start - b.span.start,
  );
  const screens = ordered.slice(0, MOST_SHOWN).map((diagnostic) => renderDiagnostic(diagnostic, tableOf, options));
  return `${[...screens, countLine(ordered)].join("\n\n")}\n`;
}

export function renderDiagnostic(
  diagnostic: Diagnostic,
  tableOf: (file: string) => LineTable | undefined,
  options: RenderOptions,
): string {
  const paint = createPaint(options.color);
  const tone = diagnostic.severity === "error" ? paint.error : paint.warning;
  const lines = [
    `${tone(`${diagnostic.severity}[${diagnostic.code}]`)}${paint.strong(`: ${diagnostic.message}`)}`,
    ...renderPlace(diagnostic.span, tableOf, tone, paint),
  ];
  for (const note of diagnostic.notes) {
    lines.push(`  ${paint.note("note")}: ${note.message}`, ...renderPlace(note.span, tableOf, paint.note, paint));
  }
  if (diagnostic.help !== undefined) lines.push(`  ${paint.help("help")}: ${diagnostic.help}`);
  return lines.join("\n");
}

function renderPlace(
  span: Span,
  tableOf: (file: string) => LineTable | undefined,
  tone: (text: string) => string,
  paint: Paint,
): string[] {
  const table = tableOf(span.file);
  if (table === undefined) return [`  ${span.file}`];
  const { line, column } = positionAt(table, span.start);
  const frame = codeFrame(table, span);
  return [`  ${span.file}:${line}:${column}`, ...frame.lines.map(paint.dim), tone(frame.mark)];
}

function countLine(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const warnings = diagnostics.length - errors;
  const parts = [
    errors > 0 ? `${errors} ${errors === 1 ? "error" : "errors"}` : "",
    warnings > 0 ? `${warnings} ${warnings === 1 ? "warning" : "warnings"}` : "",
  ].filter((part) => part !== "");
  const more = diagnostics.length > MOST_SHOWN ? `, the first ${MOST_SHOWN} shown` : "";
  return `${parts.join(", ")}${more}`;
}

type Paint = Readonly<Record<"error" | "warning" | "note" | "help" | "strong" | "dim", (text: string) => string>>;

function createPaint(color: boolean): Paint {
  const style = (open: string) => (text: string) => (color ? `\u001b[${open}m${text}\u001b[0m` : text);
  return {
    error: style("1;31"),
    warning: style("1;33"),
    note: style("1;36"),
    help: style("1;32"),
    strong: style("1"),
    dim: style("2"),
  };
}
