/**
 * Immutable blobs by sha256. A blob is sealed (read-only, with a time that no clock says), flushed, digested and moved in
 * from `tmp/`; whatever leaves is verified as it leaves. What is not what its name says goes to quarantine, never to a user.
 *
 * A process may still have a file open that it wrote before the file was sealed, and modes do not stop it. What it writes
 * before the digest is in the digest. What it writes after shows in the file's time, so it is refused until the trace is
 * written, and later, since the memo does not know the new time, found by the next who looks: it is never served.
 */
import { basename, dirname, join } from "node:path";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { digestBytes, digestFile } from "../identity/digest.ts";
import { type StatMemo, sameStat } from "../identity/stat-memo.ts";
import { errorCode, type FileStat, type FileSystem, SEALED_MTIME_NS } from "../platform/file-system.ts";
import type { StoreLayout } from "./store-layout.ts";

export type ObjectState = "sound" | "missing" | "damaged";

/** A file that is ready to become an object. */
export interface SealedFile {
  readonly path: string;
  readonly digest: string;
  readonly stat: FileStat;
}

export interface ObjectStore {
  path(digest: string): string;
  /** Throws `UnfitForArtifact` where the file is still being written to. */
  seal(path: string): Promise<SealedFile>;
  /** Moves a file of the same file system in. Throws as `seal` does. */
  takeIn(file: SealedFile): void;
  put(content: Uint8Array | string): string;
  /** Undefined where it is missing or not what its name says (then it is in quarantine). */
  read(digest: string): Uint8Array | undefined;
  /** Throws `DamagedObject` in those cases. */
  readText(digest: string): string;
  /** Compares with the name. Uses the stat memo unless `thoroughly`. Damaged blobs go to quarantine. */
  inspect(digest: string, sizeBytes: number, thoroughly?: boolean): Promise<ObjectState>;
  /** Copies to a new file and verifies the copy. Throws `DamagedObject` where the bytes are wrong. */
  copyOut(digest: string, sizeBytes: number, to: string, executable: boolean): Promise<void>;
}

export class DamagedObject extends Error {
  readonly digest: string;
  readonly state: "missing" | "damaged";
  constructor(digest: string, state: "missing" | "damaged") {
    super(
      state === "missing"
        ? `object ${digest.slice(0, 12)} is missing from the store`
        : `object ${digest.slice(0, 12)} in the store is damaged`,
    );
    this.name = "DamagedObject";
    this.digest = digest;
    this.state = state;
  }
}

export function createObjectStore(files: FileSystem, layout: StoreLayout, memo: StatMemo): ObjectStore {
  const quarantine = (digest: string): void => {
    try {
      files.rename(layout.object(digest), layout.quarantine(digest));
    } catch {
      // A read-only store keeps its damaged blob; nothing is taken from it all the same.
    }
  };
  const statObject = (digest: string) => readable(() => files.stat(layout.object(digest)));
  /** What is in quarantine was damaged, also when another process found it. */
  const stateOfAbsent = (digest: string): "missing" | "damaged" => {
    const quarantined = readable(() => files.list(dirname(layout.quarantine(digest)))) ?? [];
    return quarantined.some((name) => name.startsWith(digest)) ? "damaged" : "missing";
  };

  const seal = (path: string): FileStat => {
    files.setMode(path, "sealed");
    files.flush(path);
    const stat = files.stat(path);
    if (stat?.kind !== "file") throw stillWritten(path);
    return stat;
  };
  const takeIn = ({ path, digest, stat }: SealedFile): void => {
    const place = layout.newObject(digest);
    files.makeFolder(dirname(place));
    // Also where one exists: the new one was digested a moment ago, the old one may have rotted.
    files.rename(path, place);
    const moved = files.stat(place);
    if (moved?.sizeBytes !== stat.sizeBytes || moved.mtimeNs !== stat.mtimeNs) {
      quarantine(digest);
      throw stillWritten(path);
    }
    memo.note(place, moved, digest, true);
  };
  const inspect = async (digest: string, sizeBytes: number, thoroughly = false): Promise<ObjectState> => {
    const path = layout.object(digest);
    const stat = statObject(digest);
    if (stat === undefined) return stateOfAbsent(digest);
    if (stat.kind === "file" && stat.sizeBytes === sizeBytes) {
      if (!thoroughly && memo.recall(path, stat) === digest) return "sound";
      try {
        const found = await (thoroughly ? digestFile(files, path) : memo.digest(path, stat));
        if (found === digest) {
          const after = files.stat(path);
          // Its time says that nobody can have written to it between the two looks.
          if (stat.mtimeNs === SEALED_MTIME_NS && after !== undefined && sameStat(stat, after))
            memo.note(path, stat, digest, true);
          return "sound";
        }
      } catch (error) {
        if (!isReadFault(error)) throw error;
      }
    }
    quarantine(digest);
    return "damaged";
  };
  const open = (digest: string): Uint8Array => {
    if (statObject(digest) === undefined) throw new DamagedObject(digest, stateOfAbsent(digest));
    try {
      const bytes = files.read(layout.object(digest));
      if (digestBytes(bytes) === digest) return bytes;
    } catch (error) {
      if (!isReadFault(error)) throw error;
    }
    quarantine(digest);
    throw new DamagedObject(digest, "damaged");
  };
  return {
    path: layout.object,
    async seal(path) {
      const stat = seal(path);
      const digest = await digestFile(files, path);
      const after = files.stat(path);
      if (after === undefined || !sameStat(stat, after)) throw stillWritten(path);
      return { path, digest, stat };
    },
    takeIn,
    inspect,
    put(content) {
      const digest = digestBytes(content);
      const path = layout.temporary();
      // Sealing flushes it.
      files.writeNew(path, content, { flush: false });
      takeIn({ path, digest, stat: seal(path) });
      return digest;
    },
    read(digest) {
      try {
        return open(digest);
      } catch (error) {
        if (error instanceof DamagedObject) return undefined;
        throw error;
      }
    },
    readText: (digest) => new TextDecoder().decode(open(digest)),
    async copyOut(digest, sizeBytes, to, executable) {
      if (statObject(digest) === undefined) throw new DamagedObject(digest, stateOfAbsent(digest));
      try {
        files.copy(layout.object(digest), to);
        if (files.stat(to)?.sizeBytes !== sizeBytes || (await digestFile(files, to)) !== digest)
          throw new DamagedObject(digest, "damaged");
        files.setMode(to, executable ? "placed-executable" : "placed");
      } catch (error) {
        // What was there before is not ours to remove; a part of a copy is.
        if (errorCode(error) !== "EEXIST") files.remove(to);
        if (error instanceof DamagedObject) quarantine(digest);
        // The object could not be read, or the copy not be written? Only the first is a damage of the object.
        else if (isReadFault(error)) {
          const state = await inspect(digest, sizeBytes, true);
          if (state !== "sound") throw new DamagedObject(digest, state);
        }
        throw error;
      }
    },
  };
}

/** Of an object from a path of its own in `tmp/`, its name; of an output, the name that its stage gave it. */
export function stillWritten(path: string): UnfitForArtifact {
  return new UnfitForArtifact(
    join(basename(dirname(path)), basename(path)),
    "was still being written when its stage had ended",
    "a stage ends only when everything it started has ended",
  );
}

/** Undefined where it cannot be read. */
function readable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isReadFault(error)) return undefined;
    throw error;
  }
}

/** The disk or the network cannot give the bytes back, or another process took the object away: it is made again. */
function isReadFault(error: unknown): boolean {
  return ["ENOENT", "EIO", "ESTALE", "ENXIO", "ENODEV", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EACCES"].includes(
    errorCode(error) ?? "",
  );
}
