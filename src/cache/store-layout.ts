/**
 * Where things are in the store. No database: immutable files, and rename to put them in place, so that network file
 * systems and crashes stay simple.
 *
 *   objects/<aa>/<sha256>               blobs, folder listings and code that ran, read-only
 *   traces/<aa>/<fingerprint>/<id>.json what one execution produced; written after all its objects
 *   checkpoints/<aa>/<key>.json         partial results, by key
 *   last/<pipeline[@profiles]>.json     per stage, the fingerprint it had in the last run
 *   runs/<id>/run.json, events.ndjson
 *   pins/<id>                           runs that garbage collection keeps
 *   leases/<run id>.json                runs that go on; locks/<fingerprint>.json what they are executing
 *   code/                               bundles of users' own stages
 *   collector.json                      the garbage collector, while it works
 *   tmp/ memo/ quarantine/ scratch/
 */
import { basename, dirname, join } from "node:path";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";

export interface StoreLayout {
  readonly root: string;
  /** Where an object is read. */
  object(digest: string): string;
  /** Where one is put: the same place, but in a store over another one. */
  newObject(digest: string): string;
  traces(fingerprint: string): string;
  checkpoint(key: string): string;
  last(name: string): string;
  run(id: string): string;
  lease(runId: string): string;
  lock(fingerprint: string): string;
  /** Held while garbage is collected. */
  readonly collector: string;
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

const FOLDERS = [
  "objects",
  "traces",
  "checkpoints",
  "last",
  "runs",
  "leases",
  "locks",
  "tmp",
  "memo",
  "quarantine",
  "scratch",
];

/**
 * Makes the folders that every writer counts on, and removes what killed processes left half done. A store that cannot
 * be written can still be read: who writes to it will find out, and say so.
 */
export function openStoreLayout({ files, root, unique, isAbandoned }: StoreLayoutOptions): StoreLayout {
  const attempt = (change: () => void): void => {
    try {
      change();
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  };
  for (const folder of FOLDERS) attempt(() => files.makeFolder(join(root, folder)));
  attempt(() => {
    for (const name of files.list(join(root, "tmp"))) if (isAbandoned(name)) files.remove(join(root, "tmp", name));
  });
  attempt(() => {
    const beside = `${basename(root)}-`;
    for (const name of files.list(dirname(root)))
      if (name.startsWith(beside) && isAbandoned(name.slice(beside.length))) files.remove(join(dirname(root), name));
  });
  const sharded = (folder: string, name: string) => join(root, folder, name.slice(0, 2), name);
  return {
    root,
    object: (digest) => sharded("objects", digest),
    newObject: (digest) => sharded("objects", digest),
    traces: (fingerprint) => sharded("traces", fingerprint),
    checkpoint: (key) => `${sharded("checkpoints", key)}.json`,
    last: (name) => join(root, "last", `${name}.json`),
    run: (id) => join(root, "runs", id),
    lease: (runId) => join(root, "leases", `${runId}.json`),
    lock: (fingerprint) => join(root, "locks", `${fingerprint}.json`),
    collector: join(root, "collector.json"),
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
