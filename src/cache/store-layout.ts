/**
 * Where things are in the store. No database: immutable files, and rename to put them in place, so that network file
 * systems and crashes stay simple.
 *
 *   objects/<aa>/<sha256>               blobs and folder listings, read-only
 *   traces/<aa>/<fingerprint>/<id>.json what one execution produced; written after all its objects
 *   checkpoints/<aa>/<key>.json         partial results, by key
 *   last/<pipeline[@profiles]>.json     per stage, the fingerprint it had in the last run
 *   runs/<id>/run.json, events.ndjson
 *   pins/<id>                           runs that garbage collection keeps
 *   locks/ tmp/ memo/ quarantine/ scratch/
 */
import { join } from "node:path";
import type { FileSystem } from "../platform/file-system.ts";

export interface StoreLayout {
  readonly root: string;
  object(digest: string): string;
  traces(fingerprint: string): string;
  checkpoint(key: string): string;
  last(name: string): string;
  run(id: string): string;
  lock(fingerprint: string): string;
  /** A new path in `tmp/`, on the store's own file system. */
  temporary(): string;
  memo(name: string): string;
  quarantine(name: string): string;
  scratch(name: string): string;
}

export interface StoreLayoutOptions {
  readonly files: FileSystem;
  readonly root: string;
  /** A name that no other process uses. */
  readonly unique: () => string;
  /** Whether a name was made by a process that is gone: what it left in `tmp/` belongs to nobody. */
  readonly isAbandoned: (name: string) => boolean;
}

/** Makes the folders that every writer counts on, and removes what killed processes left half done. */
export function openStoreLayout({ files, root, unique, isAbandoned }: StoreLayoutOptions): StoreLayout {
  for (const folder of [
    "objects",
    "traces",
    "checkpoints",
    "last",
    "runs",
    "locks",
    "tmp",
    "memo",
    "quarantine",
    "scratch",
  ])
    files.makeFolder(join(root, folder));
  for (const name of files.list(join(root, "tmp"))) if (isAbandoned(name)) files.remove(join(root, "tmp", name));
  const sharded = (folder: string, name: string) => join(root, folder, name.slice(0, 2), name);
  return {
    root,
    object: (digest) => sharded("objects", digest),
    traces: (fingerprint) => sharded("traces", fingerprint),
    checkpoint: (key) => `${sharded("checkpoints", key)}.json`,
    last: (name) => join(root, "last", `${name}.json`),
    run: (id) => join(root, "runs", id),
    lock: (fingerprint) => join(root, "locks", `${fingerprint}.json`),
    temporary: () => join(root, "tmp", unique()),
    memo: (name) => join(root, "memo", `${name}.json`),
    quarantine: (name) => join(root, "quarantine", `${name}-${unique()}`),
    scratch: (name) => join(root, "scratch", name),
  };
}

/** Writes a small file so that readers see all of it or the earlier one. */
export function replaceFile(files: FileSystem, layout: StoreLayout, path: string, text: string): void {
  const temporary = layout.temporary();
  files.writeNew(temporary, text);
  try {
    files.rename(temporary, path);
  } catch (error) {
    try {
      files.remove(temporary);
    } catch {
      // Then the next process that opens the store removes it.
    }
    throw error;
  }
}
