/**
 * The canonical listing of a folder, whose sha256 is the folder's digest: one line per file with path, executable bit,
 * size and sha256, in code-unit order of the path; empty folders count; times, owners and other modes do not. Links and
 * devices are refused: what they lead to is not in the folder.
 */
import type { ArtifactFile } from "../contract.ts";
import { digestBytes } from "./digest.ts";

export interface ListedFile extends ArtifactFile {
  readonly executable: boolean;
}

export interface Listing {
  readonly files: readonly ListedFile[];
  /** Relative paths of folders with nothing in them. */
  readonly emptyFolders: readonly string[];
}

const HEADER = "tfpipe/folder/1";

export function renderListing(listing: Listing): string {
  const lines = [
    ...listing.files.map((file) => ({
      path: file.path,
      line: JSON.stringify([file.path, file.executable ? "x" : "-", file.sizeBytes, file.digest]),
    })),
    ...listing.emptyFolders.map((path) => ({ path, line: JSON.stringify([path, "/"]) })),
  ].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return [HEADER, ...lines.map(({ line }) => line), ""].join("\n");
}

export function digestListing(listing: Listing): string {
  return digestBytes(renderListing(listing));
}

/** Reads what `renderListing` wrote. Throws where the text is anything else. */
export function parseListing(text: string): Listing {
  const [header, ...lines] = text.split("\n");
  if (header !== HEADER || lines.pop() !== "") throw new Error("not a folder listing");
  const files: ListedFile[] = [];
  const emptyFolders: string[] = [];
  for (const line of lines) {
    const row: unknown = JSON.parse(line);
    if (!Array.isArray(row) || typeof row[0] !== "string") throw new Error("a malformed line in a folder listing");
    const [path, mark, sizeBytes, digest] = row as [string, string, number, string];
    if (mark === "/") emptyFolders.push(path);
    else files.push({ path, executable: mark === "x", sizeBytes, digest });
  }
  return { files, emptyFolders };
}

/** Bytes in all files. */
export function listingSizeBytes(listing: Listing): number {
  return listing.files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
