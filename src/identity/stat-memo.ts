/**
 * Remembers digests of files by what their stat said, so that unchanged data is not read again.
 *
 * An entry is believed only where size, mtime, ctime and inode are equal and both times lie a margin before the entry
 * was made: a file changed within the same tick of the file system's clock as it was digested could otherwise keep its
 * stat ("racy" entries, as in git's index). It is read when it is first asked, and files long gone leave it.
 */
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import { digestFile } from "./digest.ts";
import { readSealed, sealText } from "./sealed-text.ts";

/** File systems that keep whole seconds (FAT: two) need this much. */
const COARSE_MARGIN_NS = 2_000_000_000n;
/** Those that keep parts of a second take them from a clock that ticks every 1 to 10 ms. */
const FINE_MARGIN_NS = 50_000_000n;

/** To digest so few files and bytes again takes less time than to write the memo, where it is so much larger. */
const FEW_FILES = 16;
const FEW_BYTES = 1_000_000;
const LARGER = 10;

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
  /** Quiet where it cannot be written. A few small files are left to be digested again: they are faster than the writing. */
  save(): void;
  /** Drops what it remembers of files that are gone. Quiet as well. */
  forgetLost(): void;
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

const FORMAT = "tfpipe/files/2";

interface KeptMemo {
  readonly format: typeof FORMAT;
  /** How many entries there were when those of lost files were last taken out. */
  readonly pruned: number;
  readonly entries: readonly (readonly [string, Entry])[];
}

interface OpenMemo {
  readonly entries: Map<string, Entry>;
  pruned: number;
}

/** Lost files are looked for when there are twice as many entries as after the last time, and these. */
const MORE_ENTRIES = 1000;

export function createStatMemo({ files, path, tmp, nowNs, paranoid = false }: StatMemoOptions): StatMemo {
  let opened: OpenMemo | undefined;
  const open = (): OpenMemo => {
    opened ??= readMemo(files, path);
    return opened;
  };
  const unsaved = { files: 0, bytes: 0 };

  const recall = (file: string, stat: FileStat): string | undefined => {
    const entry = paranoid ? undefined : open().entries.get(file);
    if (
      entry === undefined ||
      entry.sizeBytes !== stat.sizeBytes ||
      entry.mtimeNs !== String(stat.mtimeNs) ||
      entry.ctimeNs !== String(stat.ctimeNs) ||
      entry.inode !== String(stat.inode)
    )
      return undefined;
    return isSettled(stat, BigInt(entry.madeNs)) ? entry.digest : undefined;
  };
  const note = (file: string, stat: FileStat, digest: string, madeNs: bigint): void => {
    unsaved.files++;
    unsaved.bytes += stat.sizeBytes;
    open().entries.set(file, {
      sizeBytes: stat.sizeBytes,
      mtimeNs: String(stat.mtimeNs),
      ctimeNs: String(stat.ctimeNs),
      inode: String(stat.inode),
      digest,
      madeNs: String(madeNs),
    });
  };
  const save = (forgetLost: boolean): void => {
    if (unsaved.files === 0 && !forgetLost) return;
    try {
      const memo = open();
      const isLittle =
        unsaved.files <= FEW_FILES && unsaved.bytes <= FEW_BYTES && unsaved.files * LARGER < memo.entries.size;
      if (isLittle && !forgetLost) return;
      unsaved.files = 0;
      unsaved.bytes = 0;
      if (forgetLost || memo.entries.size > 2 * memo.pruned + MORE_ENTRIES) prune(files, memo);
      const kept: KeptMemo = { format: FORMAT, pruned: memo.pruned, entries: [...memo.entries] };
      const temporary = tmp();
      files.writeNew(temporary, sealText(JSON.stringify(kept)).text);
      files.rename(temporary, path);
    } catch {
      // It only saves work: a store that cannot be written means reading the files again next time.
    }
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
    save: () => save(false),
    forgetLost: () => save(true),
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

/**
 * Whether both times of a file lie so far before `madeNs` that whatever is written from then on must change them: the
 * clocks of file systems tick.
 */
export function isSettled({ mtimeNs, ctimeNs }: FileStat, madeNs: bigint): boolean {
  const margin = mtimeNs % 1_000_000_000n === 0n ? COARSE_MARGIN_NS : FINE_MARGIN_NS;
  return mtimeNs + margin < madeNs && ctimeNs + margin < madeNs;
}

function prune(files: FileSystem, memo: OpenMemo): void {
  for (const file of memo.entries.keys()) if (files.stat(file) === undefined) memo.entries.delete(file);
  memo.pruned = memo.entries.size;
}

/** A memo that cannot be read is an empty memo: it only saves work. */
function readMemo(files: FileSystem, path: string): OpenMemo {
  try {
    const kept = JSON.parse(readSealed(files, path)?.body ?? "null") as KeptMemo | null;
    if (kept?.format === FORMAT) return { entries: new Map(kept.entries), pruned: kept.pruned };
  } catch {
    // As if there were none.
  }
  return { entries: new Map(), pruned: 0 };
}
