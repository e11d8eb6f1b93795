/** Text that is kept between commands only to save work, with its digest before it: what is not as it was written is as if it were not there. */
import type { FileSystem } from "../platform/file-system.ts";
import { digestBytes } from "./digest.ts";

export interface SealedText {
  /** Of the body. */
  readonly digest: string;
  /** What goes into the file. */
  readonly text: string;
}

export function sealText(body: string): SealedText {
  const digest = digestBytes(body);
  return { digest, text: `${digest}\n${body}` };
}

/** Undefined where there is none, where it cannot be read, and where it is not what was written. */
export function readSealed(
  files: Pick<FileSystem, "readText">,
  path: string,
): { readonly digest: string; readonly body: string } | undefined {
  let text: string | undefined;
  try {
    text = files.readText(path);
  } catch {
    return undefined;
  }
  const end = text?.indexOf("\n") ?? -1;
  if (text === undefined || end < 0) return undefined;
  const body = text.slice(end + 1);
  const digest = digestBytes(body);
  return digest === text.slice(0, end) ? { body, digest } : undefined;
}
