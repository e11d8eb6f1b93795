/** Finds the archive that a data set comes in: the first source that gives the bytes its sha256 promises. */
import { stat } from "node:fs/promises";
import { DataError } from "./data-error.ts";
import { digestOf, download } from "./download.ts";

export type DataSource =
  | { readonly url: string; readonly sha256: string }
  | { readonly path: string; readonly sha256: string };

export interface LocateOptions {
  readonly sources: readonly DataSource[];
  /** For downloads; survives failed attempts. */
  readonly folder: string;
  readonly signal: AbortSignal;
  onProgress(doneBytes: number, totalBytes: number | undefined): void;
  /** Another process downloads the same bytes. */
  onWait?(pid: number): void;
  /** Said about each source that is given up. */
  onFailure(line: string): void;
  readonly stallMs?: number;
  readonly pauseMs?: number;
}

export interface LocatedArchive {
  readonly path: string;
  /** The source, as the user knows it. */
  readonly name: string;
}

/** Throws `DataError` naming every source and why it failed. */
export async function locateArchive({ sources, onFailure, ...options }: LocateOptions): Promise<LocatedArchive> {
  const reasons: string[] = [];
  for (const source of sources) {
    const name = "url" in source ? source.url : source.path;
    try {
      const path = "url" in source ? await download({ ...options, ...source }) : await checkLocal(source);
      return { path, name };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      reasons.push(`${name}: ${error.message}`);
      onFailure(reasons.at(-1)!);
    }
  }
  const listed = reasons.map((reason) => `\n  ${reason}`).join("");
  throw new DataError(
    `${reasons.length === 1 ? "the one source" : `none of the ${reasons.length} sources`} could give the data:${listed}`,
    "get the archive by other means and connect it: `inputs: { source: ./archive.tar.gz }`; a download that was cut continues when you run again",
  );
}

async function checkLocal({ path, sha256 }: { readonly path: string; readonly sha256: string }): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new DataError(error.code === "ENOENT" ? "there is no such file" : error.message);
  });
  if (!found.isFile()) throw new DataError("it is no file");
  const digest = await digestOf(path);
  if (digest !== sha256) throw new DataError(`its sha256 is ${digest}, not ${sha256}`);
  return path;
}
