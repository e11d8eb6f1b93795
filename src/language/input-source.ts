/** What an input's text says: a path of the user's, or a reference to another stage's output. */
import { isAbsolute, resolve } from "node:path";

export type ParsedSource =
  | { readonly from: "path"; readonly path: string; readonly text: string }
  /** `output` is absent where only the stage is named. */
  | { readonly from: "stage"; readonly stage: string; readonly output?: string; readonly text: string };

const REFERENCE = /^([A-Za-z][A-Za-z0-9_-]*)(?:\.([A-Za-z][A-Za-z0-9_-]*))?$/;
const PATH = /^(?:\.{1,2}(?:[/\\]|$)|\/|[A-Za-z]:[\\/])/;

/** `folder` is where relative paths start. Undefined where the text is neither. */
export function parseInputSource(text: string, folder: string): ParsedSource | undefined {
  if (PATH.test(text)) return { from: "path", path: isAbsolute(text) ? text : resolve(folder, text), text };
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  return { from: "stage", stage: match[1]!, text, ...(match[2] === undefined ? {} : { output: match[2] }) };
}
