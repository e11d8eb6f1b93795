/**
 * The file system as the runner needs it, behind a port, so that faults can be put in its place.
 *
 * Everything that changes the disk goes through the few methods here. Folders of the store see three patterns only:
 * write-new-flush, rename, remove. Times are in nanoseconds as the file system keeps them: they are compared, never
 * interpreted.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";

export interface FileStat {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /** Names that the file has, here and elsewhere. */
  readonly hardLinks: number;
  readonly executable: boolean;
}

export interface FileSystem {
  /** Undefined where nothing is; links are not followed. */
  stat(path: string): FileStat | undefined;
  /** Names in a folder, in code-unit order; empty where it does not exist. */
  list(folder: string): readonly string[];
  read(path: string): Uint8Array;
  /** Undefined where there is no such file. */
  readText(path: string): string | undefined;
  /** Reads a file from front to back in pieces. */
  stream(path: string, onPiece: (piece: Uint8Array) => void): Promise<void>;
  /** Its sha256, computed beside the program's own thread; undefined where it is too small for that to pay. */
  digestBeside?(path: string): Promise<string> | undefined;
  makeFolder(folder: string): void;
  /** Creates `path`, writes and flushes it. Fails where it exists. `flush: false`: what a loss of power may take. */
  writeNew(path: string, bytes: Uint8Array | string, options?: { readonly flush: false }): void;
  /** Adds to a log; not flushed. */
  append(path: string, text: string): void;
  /** Flushes a file that something else wrote. */
  flush(path: string): void;
  /** A clone where the file system can, else a copy. Fails where `to` exists. */
  copy(from: string, to: string): void;
  /** Replaces `to` at once. */
  rename(from: string, to: string): void;
  /** Removes a file or a whole folder; quiet where there is none. Does not follow links. */
  remove(path: string): void;
  /**
   * `sealed`: read-only, with `SEALED_MTIME_NS` as its time, so that every later write shows in it. `placed`: for people to
   * edit, and for the same reason a few seconds older than it is.
   */
  setMode(path: string, mode: keyof typeof MODES): void;
  /** Sets the modification time of a file that is not empty to now, as the file system's clock has it. */
  touch(path: string): void;
  /** Makes a link at `path`, where nothing is, to the folder `to`; both are absolute. */
  link(to: string, path: string): void;
  /** Where a path leads when it is a link; the path itself where it is none, or leads nowhere. */
  resolveLink(path: string): string;
}

const MODES = {
  sealed: 0o444,
  "read-only": 0o444,
  "read-only-executable": 0o555,
  writable: 0o644,
  "writable-executable": 0o755,
  placed: 0o644,
  "placed-executable": 0o755,
} as const;
/** Small enough to stay in the processor's cache between reading and hashing. */
const PIECE_BYTES = 1 << 18;

/**
 * No clock says this, so no write leaves it, however soon it follows. Half a second, so that it differs where a file
 * system keeps whole seconds: there the time of a file says less.
 */
const SEALED_SECONDS = 1.5;
/** More than file systems round times to. */
export const PLACED_EARLIER_MS = 3000;
export const SEALED_MTIME_NS = 1_500_000_000n;

export const nodeFileSystem: FileSystem = {
  stat(path) {
    const stat = lstatOf(path);
    if (stat === undefined) return undefined;
    return {
      kind: stat.isFile() ? "file" : stat.isDirectory() ? "folder" : stat.isSymbolicLink() ? "link" : "other",
      sizeBytes: Number(stat.size),
      mtimeNs: stat.mtimeNs,
      ctimeNs: stat.ctimeNs,
      inode: stat.ino,
      hardLinks: Number(stat.nlink),
      executable: (stat.mode & 0o100n) !== 0n,
    };
  },
  list(folder) {
    try {
      return readdirSync(folder).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  read: (path) => readFileSync(path),
  readText(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  async stream(path, onPiece) {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.allocUnsafe(PIECE_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, null);
        if (bytesRead === 0) return;
        onPiece(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  },
  makeFolder(folder) {
    mkdirSync(folder, { recursive: true });
  },
  writeNew(path, bytes, options) {
    const buffer = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
    const file = openSync(path, "wx");
    let whole = false;
    try {
      for (let done = 0; done < buffer.length; ) done += writeSync(file, buffer, done);
      if (options === undefined) fsyncSync(file);
      whole = true;
    } finally {
      closeSync(file);
      if (!whole) rmSync(path, { force: true });
    }
  },
  append(path, text) {
    const file = openSync(path, "a");
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
  },
  flush(path) {
    const file = openSync(path, "r");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  copy(from, to) {
    copyFileSync(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  },
  rename: renameSync,
  remove(path) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  setMode(path, mode) {
    chmodSync(path, MODES[mode]);
    if (mode === "sealed") utimesSync(path, SEALED_SECONDS, SEALED_SECONDS);
    else if (mode.startsWith("placed")) {
      const time = new Date(lstatSync(path).mtimeMs - PLACED_EARLIER_MS);
      utimesSync(path, time, time);
    }
  },
  touch(path) {
    // Writing the first byte again lets the file system's own clock set the time.
    const file = openSync(path, "r+");
    try {
      const first = Buffer.alloc(1);
      if (readSync(file, first, 0, 1, 0) === 1) writeSync(file, first, 0, 1, 0);
    } finally {
      closeSync(file);
    }
  },
  // Windows lets everybody make a junction; elsewhere the word means nothing.
  link: (to, path) => symlinkSync(to, path, "junction"),
  resolveLink(path) {
    try {
      return realpathSync(path);
    } catch {
      return path;
    }
  },
};

/** Nothing is below a file, either; Node throws there. */
function lstatOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that a path does not exist. */
export function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Node's error code, `ENOSPC` and the like, where the error has one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whether the system said no, for whatever reason: `ENOSPC`, `EROFS` and the like, not Node's own `ERR_...`. */
export function isRefusal(error: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(errorCode(error) ?? "");
}
