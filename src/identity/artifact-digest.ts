/** The digest of a file or folder on disk, as an artifact: the user's inputs, and what a stage left in staging. */
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import { FILE_LANES, inLanes } from "./in-lanes.ts";
import { digestListing, type ListedFile, type Listing } from "./listing.ts";
import type { StatMemo } from "./stat-memo.ts";

/** Why a path cannot be an artifact. */
export class UnfitForArtifact extends Error {
  readonly path: string;
  readonly help: string;
  constructor(path: string, problem: string, help = "an input or output is a file, or a folder of files and folders") {
    super(`${path} ${problem}`);
    this.name = "UnfitForArtifact";
    this.path = path;
    this.help = help;
  }
}

/** A file or folder, listed and digested. A file's listing has one entry with the path `""`. */
export interface DigestedPath {
  readonly form: "file" | "folder";
  readonly digest: string;
  readonly listing: Listing;
}

export async function digestPath(
  files: FileSystem,
  memo: Pick<StatMemo, "digest">,
  path: string,
): Promise<DigestedPath> {
  const stat = files.stat(path);
  if (stat === undefined) throw new UnfitForArtifact(path, "does not exist");
  if (stat.kind === "file") {
    const digest = await memo.digest(path, stat);
    const file: ListedFile = { path: "", sizeBytes: stat.sizeBytes, digest, executable: stat.executable };
    return { form: "file", digest, listing: { files: [file], emptyFolders: [] } };
  }
  if (stat.kind !== "folder")
    throw new UnfitForArtifact(path, "is neither a file nor a folder (links are not followed)");
  const listing = await listFolder(files, memo, path);
  return { form: "folder", digest: digestListing(listing), listing };
}

async function listFolder(files: FileSystem, memo: Pick<StatMemo, "digest">, root: string): Promise<Listing> {
  const found: { readonly path: string; readonly stat: FileStat }[] = [];
  const emptyFolders: string[] = [];
  const walk = (folder: string, prefix: string): void => {
    const names = files.list(folder);
    if (names.length === 0 && prefix !== "") emptyFolders.push(prefix.slice(0, -1));
    for (const name of names) {
      const path = `${folder}/${name}`;
      const stat = files.stat(path);
      if (stat === undefined && name.includes("\uFFFD"))
        throw new UnfitForArtifact(path, "has a name that is not UTF-8", "rename it");
      if (stat === undefined) throw new UnfitForArtifact(path, "vanished while it was read");
      if (stat.kind === "folder") walk(path, `${prefix}${name}/`);
      else if (stat.kind === "file") found.push({ path: prefix + name, stat });
      else throw new UnfitForArtifact(path, "is a link or a device; an artifact holds files and folders only");
    }
  };
  walk(root, "");
  const listed = await inLanes(found, FILE_LANES, async ({ path, stat }): Promise<ListedFile> => {
    const digest = await memo.digest(`${root}/${path}`, stat);
    return { path, sizeBytes: stat.sizeBytes, digest, executable: stat.executable };
  });
  return { files: [...listed].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)), emptyFolders };
}
