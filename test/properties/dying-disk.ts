/**
 * The disk as one process sees it that is killed at its n-th change: from then on nothing of it reaches the disk and it
 * learns nothing more. Where the change is not one system call, as much of it as `torn` says has happened.
 */
import { join } from "node:path";
import type { FileSystem } from "../../src/platform/file-system.ts";
import type { MemoryDisk } from "./memory-disk.ts";

/** What a killed process would see if it still saw something. */
export class Killed extends Error {}

export interface Death {
  /** Number of the change, from 1 on, at which it dies. */
  readonly atChange: number;
  /** How much of that change happens: 0 to 1. */
  readonly torn: number;
  /** Called at that moment. */
  readonly onDeath: () => void;
}

export interface DyingDisk {
  readonly files: FileSystem;
  readonly changes: () => number;
  readonly isDead: () => boolean;
}

export interface Fate {
  readonly death?: Death;
  /** Called before a file is copied. */
  readonly beforeCopy?: (from: string) => void;
}

export function createDyingDisk(disk: MemoryDisk, { death, beforeCopy }: Fate): DyingDisk {
  let changes = 0;
  let isDead = false;
  const alive = (): void => {
    if (isDead) throw new Killed();
  };
  const look =
    <Args extends readonly unknown[], Result>(operation: (...args: Args) => Result) =>
    (...args: Args): Result => {
      alive();
      return operation(...args);
    };
  const change =
    <Args extends readonly unknown[]>(
      operation: (...args: Args) => void,
      part?: (share: number, ...args: Args) => void,
    ) =>
    (...args: Args): void => {
      alive();
      if (++changes !== death?.atChange) {
        operation(...args);
        return;
      }
      isDead = true;
      try {
        part?.(death.torn, ...args);
      } catch {
        // What is refused does not happen by half.
      }
      death.onDeath();
      throw new Killed();
    };
  const tornFile = (share: number, path: string, bytes: Uint8Array | string): void => {
    if (share > 0 && disk.stat(path) === undefined) disk.write(path, bytes.slice(0, Math.floor(share * bytes.length)));
  };
  return {
    changes: () => changes,
    isDead: () => isDead,
    files: {
      stat: look((path) => disk.stat(path)),
      list: look((folder) => disk.list(folder)),
      read: look((path) => disk.read(path)),
      readText: look((path) => disk.readText(path)),
      async stream(path, onPiece) {
        alive();
        await disk.stream(path, onPiece);
        alive();
      },
      resolveLink: look((path) => disk.resolveLink(path)),
      makeFolder: change((folder) => disk.makeFolder(folder)),
      writeNew: change((path, bytes) => disk.writeNew(path, bytes), tornFile),
      append: change(
        (path, text) => disk.append(path, text),
        (share, path, text) => disk.append(path, text.slice(0, Math.floor(share * text.length))),
      ),
      flush: change((path) => disk.flush(path)),
      copy: change(
        (from, to) => {
          beforeCopy?.(from);
          disk.copy(from, to);
        },
        (share, from, to) => tornFile(share, to, disk.read(from)),
      ),
      link: change((to, path) => disk.link(to, path)),
      rename: change((from, to) => disk.rename(from, to)),
      remove: change(
        (path) => disk.remove(path),
        (share, path) => {
          const below = disk.filesIn(path);
          for (const [name] of below.slice(0, Math.floor(share * below.length))) disk.remove(join(path, name));
        },
      ),
      setMode: change((path, mode) => disk.setMode(path, mode)),
      touch: change((path) => disk.touch(path)),
    },
  };
}
