/**
 * A file system that can tell what was looked at: of every path its stat, taken before anything else of it was read. A
 * conclusion drawn from files holds while all of them still have the stats that they had then.
 *
 * What must stay true: nothing is read past the recorder. So every method of the port is written out here, and a test
 * holds it to that.
 */
import type { FileStat, FileSystem } from "./file-system.ts";

export interface Looks {
  /** Undefined where nothing was. */
  readonly stats: ReadonlyMap<string, FileStat | undefined>;
  /** False where something was changed, or a link led on: then the stats do not tell the whole. */
  readonly isWhole: boolean;
}

export interface LookRecorder {
  readonly files: FileSystem;
  /** One at a time: what is looked at until `work` is done counts as its. */
  record<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly looks: Looks }>;
}

export function createLookRecorder(files: FileSystem): LookRecorder {
  let recording: { readonly stats: Map<string, FileStat | undefined>; isWhole: boolean } | undefined;
  const look = (path: string): FileStat | undefined => {
    const stat = files.stat(path);
    if (recording !== undefined && !recording.stats.has(path)) recording.stats.set(path, stat);
    return stat;
  };
  const lookFirst = (path: string): void => {
    if (recording !== undefined && !recording.stats.has(path)) look(path);
  };
  const change = (): void => {
    if (recording !== undefined) recording.isWhole = false;
  };
  return {
    files: {
      stat: look,
      list(folder) {
        lookFirst(folder);
        return files.list(folder);
      },
      read(path) {
        lookFirst(path);
        return files.read(path);
      },
      readText(path) {
        lookFirst(path);
        return files.readText(path);
      },
      stream(path, onPiece) {
        lookFirst(path);
        return files.stream(path, onPiece);
      },
      ...(files.digestBeside === undefined
        ? {}
        : {
            digestBeside(path: string) {
              lookFirst(path);
              return files.digestBeside!(path);
            },
          }),
      makeFolder(folder) {
        change();
        files.makeFolder(folder);
      },
      writeNew(path, bytes, options) {
        change();
        files.writeNew(path, bytes, options);
      },
      append(path, text) {
        change();
        files.append(path, text);
      },
      flush(path) {
        change();
        files.flush(path);
      },
      copy(from, to) {
        change();
        files.copy(from, to);
      },
      rename(from, to) {
        change();
        files.rename(from, to);
      },
      remove(path) {
        change();
        files.remove(path);
      },
      setMode(path, mode) {
        change();
        files.setMode(path, mode);
      },
      touch(path) {
        change();
        files.touch(path);
      },
      link(to, path) {
        change();
        files.link(to, path);
      },
      // Where a link leads is not in the stat of the path that was asked about.
      resolveLink(path) {
        change();
        return files.resolveLink(path);
      },
    },
    async record(work) {
      if (recording !== undefined) throw new Error("a recording of looks has not ended");
      const stats = new Map<string, FileStat | undefined>();
      const own = { stats, isWhole: true };
      recording = own;
      try {
        const value = await work();
        return { value, looks: { stats, isWhole: own.isWhole } };
      } finally {
        recording = undefined;
      }
    },
  };
}
