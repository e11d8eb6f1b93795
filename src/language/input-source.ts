/** What an input's text says: a path of the user's, a reference to another stage's output, or to all its instances'. */
import { isAbsolute, resolve } from "node:path";

export type ParsedSource = { readonly from: "path"; readonly path: string; readonly text: string } | StageReference;

export interface StageReference {
  readonly from: "stage";
  readonly stage: string;
  /** Absent where only the stage is named. */
  readonly output?: string;
  /** `train@*`: of every instance of a matrix. */
  readonly every: boolean;
  readonly text: string;
}

const REFERENCE = /^([A-Za-z][A-Za-z0-9_-]*)(@\*)?(?:\.([A-Za-z][A-Za-z0-9_-]*))?$/;

/** A text that is a path: `./x`, `../x`, `/x`, `C:\x`. */
export const PATH = /^(?:\.{1,2}(?:[/\\]|$)|\/|[A-Za-z]:[\\/])/;

/** `folder` is where relative paths start. Undefined where the text is neither. */
export function parseInputSource(text: string, folder: string): ParsedSource | undefined {
  return PATH.test(text) ? { from: "path", path: resolvePath(text, folder), text } : parseStageReference(text);
}

export function parseStageReference(text: string): StageReference | undefined {
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  const [, stage, every, output] = match;
  return {
    from: "stage",
    stage: stage!,
    every: every !== undefined,
    text,
    ...(output === undefined ? {} : { output }),
  };
}

export function resolvePath(text: string, folder: string): string {
  return isAbsolute(text) ? text : resolve(folder, text);
}
