/**
 * Remembers digests of files by what their stat said, so that unchanged data is not read again.
 *
 * An entry is believed only where size, mtime, ctime and inode are equal and both times lie a margin before the entry
 * was made: a file changed within the same tick of the file system's clock as it was digested could otherwise keep its
 * stat ("racy" entries, as in git's index).
 */
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import { digestFile } from "./digest.ts";

/** File systems that keep whole seconds (FAT: two) need this much. */
const COARSE_MARGIN_NS = 2_000_000_000n;
/** Those that keep parts of a second take them from a clock that ticks every 1 to 10 ms. */
const FINE_MARGIN_NS = 50_000_000n;

/** As if it had been made long after the file. */
const SETTLED_NS = 60_000_000_000n;

interface Entry {
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly digest: string;
  /** The file system's or machine's clock when it was digested, ns. */
  readonly madeNs: string;
}

export interface StatMemo {
  /** The digest of the file, from memory where that is safe. `stat` is the file's, if it was just taken. */
  digest(path: string, stat?: FileStat): Promise<string>;
  /** The remembered digest, if it can be believed; reads no data. */
  recall(path: string, stat: FileStat): string | undefined;
  /**
   * Notes a digest computed elsewhere. `stat` must have been taken before the bytes were read. `settled`: the file was
   * digested under a private name and put in place by rename, so nobody can have written between digest and stat.
   */
  note(path: string, stat: FileStat, digest: string, settled?: boolean): void;
  /** Quiet where it cannot be written. */
  save(): void;
}

export interface StatMemoOptions {
  readonly files: FileSystem;
  /** Where it is kept between runs. */
  readonly path: string;
  readonly tmp: () => string;
  readonly nowNs: () => bigint;
  /** Believe nothing. */
  readonly paranoid?: boolean;
}

export function createStatMemo({ files, path, tmp, nowNs, paranoid = false }: StatMemoOptions): StatMemo {
  const entries = new Map<string, Entry>(readEntries(files, path));
  let changed = false;

  const recall = (file: string, stat: FileStat): string | undefined => {
    const entry = entries.get(file);
    if (
      paranoid ||
      entry === undefined ||
      entry.sizeBytes !== stat.sizeBytes ||
      entry.mtimeNs !== String(stat.mtimeNs) ||
      entry.ctimeNs !== String(stat.ctimeNs) ||
      entry.inode !== String(stat.inode)
    )
      return undefined;
    const made = BigInt(entry.madeNs);
    const margin = stat.mtimeNs % 1_000_000_000n === 0n ? COARSE_MARGIN_NS : FINE_MARGIN_NS;
    return stat.mtimeNs + margin < made && stat.ctimeNs + margin < made ? entry.digest : undefined;
  };
  const note = (file: string, stat: FileStat, digest: string, madeNs: bigint): void => {
    changed = true;
    entries.set(file, {
      sizeBytes: stat.sizeBytes,
      mtimeNs: String(stat.mtimeNs),
      ctimeNs: String(stat.ctimeNs),
      inode: String(stat.inode),
      digest,
      madeNs: String(madeNs),
    });
  };
  return {
    recall,
    note: (file, stat, digest, settled = false) => note(file, stat, digest, nowNs() + (settled ? SETTLED_NS : 0n)),
    async digest(file, given) {
      const stat = given ?? files.stat(file);
      if (stat !== undefined) {
        const known = recall(file, stat);
        if (known !== undefined) return known;
      }
      const madeNs = nowNs();
      const digest = await digestFile(files, file);
      const after = files.stat(file);
      if (stat !== undefined && after !== undefined && sameStat(stat, after)) note(file, stat, digest, madeNs);
      return digest;
    },
    save() {
      if (!changed) return;
      changed = false;
      try {
        const temporary = tmp();
        files.writeNew(temporary, JSON.stringify([...entries]));
        files.rename(temporary, path);
      } catch {
        // It only saves work: a store that cannot be written means reading the files again next time.
      }
    },
  };
}

/** Whether nothing about a file has moved between two looks. */
export function sameStat(a: FileStat, b: FileStat): boolean {
  return (
    a.kind === b.kind &&
    a.sizeBytes === b.sizeBytes &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs &&
    a.inode === b.inode &&
    a.executable === b.executable
  );
}

/** A memo that cannot be read is an empty memo: it only saves work. */
function readEntries(files: FileSystem, path: string): [string, Entry][] {
  try {
    return JSON.parse(files.readText(path) ?? "[]") as [string, Entry][];
  } catch {
    return [];
  }
}
