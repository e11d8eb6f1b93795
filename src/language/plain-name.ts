/**
 * Names of stages, and of their inputs and outputs. They are parts of paths and keys of objects, so
 * one that every object has already (`constructor`) is none.
 */
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";

const PLAIN_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

export function isPlainName(name: string): boolean {
  return PLAIN_NAME.test(name) && !(name in Object.prototype);
}

/** `what` is what the name is of: `a stage`. */
export function badName(what: string, name: string, span: Span): Diagnostic {
  const rule = PLAIN_NAME.test(name)
    ? "choose another name: every object in JavaScript has a member that is called so"
    : `${what}'s name starts with a letter and goes on with letters, digits, _ and -`;
  return diagnose("language/bad-name", { what: `${what}'s name`, name, rule }, span);
}
