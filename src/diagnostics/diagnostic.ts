/**
 * A located statement about text that the user wrote. Diagnostics are collected as values and become text only at the
 * program's edge (`render-diagnostic.ts`); their words are in `catalog.ts`.
 */
import { catalog, type DiagnosticCode, type DiagnosticWords } from "./catalog.ts";
import type { Span } from "./span.ts";

export interface Diagnostic {
  readonly severity: "error" | "warning";
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly span: Span;
  readonly help?: string;
  /** Other places involved, in the order in which they explain. */
  readonly notes: readonly DiagnosticNote[];
}

export interface DiagnosticNote {
  readonly message: string;
  readonly span: Span;
}

/** Collects the problems of a phase. */
export type ReportDiagnostic = (diagnostic: Diagnostic) => void;

/** An error of the catalogue at a place. */
export function diagnose<Code extends DiagnosticCode>(
  code: Code,
  words: DiagnosticWords<Code>,
  span: Span,
  notes: readonly DiagnosticNote[] = [],
): Diagnostic {
  const write = catalog[code] as (words: DiagnosticWords<Code>) => { message: string; help?: string | undefined };
  const { message, help } = write(words);
  return { severity: "error", code, message, span, ...(help === undefined ? {} : { help }), notes };
}
