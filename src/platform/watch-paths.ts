/**
 * Tells when files are saved. Files are watched through their folder, since editors put another file in the place of the
 * old one; a folder with all that is in it, folders that come later included. What it tells is a hint: several for one
 * save, and some for nothing.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { dirname, join, sep } from "node:path";
import { errorCode } from "./file-system.ts";

export interface WatchedPaths {
  /** Absolute paths of files and folders. */
  readonly paths: readonly string[];
  readonly onChange: (path: string) => void;
  /** A folder that cannot be watched: its changes go unseen. */
  readonly onUnwatchable: (folder: string, why: string) => void;
}

/** Gives how to stop. */
export function watchPaths({ paths, onChange, onUnwatchable }: WatchedPaths): () => void {
  const watchers = new Map<string, FSWatcher>();
  const named = new Set(paths);
  const trees = paths.filter(isFolder);
  const isInTree = (path: string) => trees.some((tree) => path === tree || path.startsWith(tree + sep));
  const forget = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const watchFolder = (folder: string): void => {
    if (watchers.has(folder)) return;
    try {
      const watcher = watch(folder, (_event, name) => {
        const path = name === null ? folder : join(folder, name);
        if (!named.has(path) && !isInTree(path)) return;
        if (isInTree(path) && isFolder(path)) watchTree(path);
        onChange(path);
      });
      // The folder is gone: whatever comes in its place is told by the folder above it.
      watcher.on("error", () => forget(folder));
      watchers.set(folder, watcher);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") onUnwatchable(folder, whyOf(error));
    }
  };
  const watchTree = (folder: string): void => {
    watchFolder(folder);
    for (const name of foldersIn(folder)) watchTree(join(folder, name));
  };
  for (const path of paths) watchFolder(dirname(path));
  for (const tree of trees) watchTree(tree);
  return () => {
    for (const folder of [...watchers.keys()]) forget(folder);
  };
}

function whyOf(error: unknown): string {
  return errorCode(error) === "ENOSPC" || errorCode(error) === "EMFILE"
    ? "the system watches no more folders (fs.inotify.max_user_watches)"
    : String(error);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // gone meanwhile
  }
}
