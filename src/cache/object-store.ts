/**
 * Immutable blobs by sha256. A blob is moved in from `tmp/` after it was flushed and digested, and is read-only from then
 * on; whatever leaves is verified as it leaves. A blob that is not what its name says goes to quarantine, never to a user.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import type { StatMemo } from "../identity/stat-memo.ts";
import { errorCode, type FileSystem } from "../platform/file-system.ts";
import type { StoreLayout } from "./store-layout.ts";

export type ObjectState = "sound" | "missing" | "damaged";

export interface ObjectStore {
  path(digest: string): string;
  /** Makes a file read-only and flushes it. Only what is sealed is digested: what came late is then in the digest. */
  seal(path: string): void;
  /** Moves a sealed file of the same file system in. The caller digested it after that and must not touch it again. */
  takeIn(path: string, digest: string): void;
  putText(text: string): string;
  /** Undefined where it is missing or not what its name says (then it is in quarantine). */
  read(digest: string): Uint8Array | undefined;
  readText(digest: string): string | undefined;
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
  const seal = (path: string): void => {
    files.setMode(path, "read-only");
    files.flush(path);
  };
  const takeIn = (path: string, digest: string): void => {
    const place = layout.object(digest);
    files.makeFolder(dirname(place));
    // Also where one exists: the new one was digested a moment ago, the old one may have rotted.
    files.rename(path, place);
    const stat = files.stat(place);
    if (stat !== undefined) memo.note(place, stat, digest, true);
  };
  const inspect = async (digest: string, sizeBytes: number, thoroughly = false): Promise<ObjectState> => {
    const path = layout.object(digest);
    const stat = files.stat(path);
    if (stat === undefined) return "missing";
    if (stat.kind === "file" && stat.sizeBytes === sizeBytes) {
      if (!thoroughly && memo.recall(path, stat) === digest) return "sound";
      const hash = createHash("sha256");
      let readWhole = true;
      try {
        await files.stream(path, (piece) => hash.update(piece));
      } catch (error) {
        if (!isReadFault(error)) throw error;
        readWhole = false;
      }
      if (readWhole && hash.digest("hex") === digest) {
        memo.note(path, stat, digest);
        return "sound";
      }
    }
    quarantine(digest);
    return "damaged";
  };
  const read = (digest: string): Uint8Array | undefined => {
    const path = layout.object(digest);
    if (files.stat(path) === undefined) return undefined;
    try {
      const bytes = files.read(path);
      if (digestBytes(bytes) === digest) return bytes;
    } catch (error) {
      if (!isReadFault(error)) throw error;
    }
    quarantine(digest);
    return undefined;
  };
  return {
    path: layout.object,
    seal,
    takeIn,
    inspect,
    putText(text) {
      const digest = digestBytes(text);
      const temporary = layout.temporary();
      files.writeNew(temporary, text);
      seal(temporary);
      takeIn(temporary, digest);
      return digest;
    },
    read,
    readText(digest) {
      const bytes = read(digest);
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
    },
    async copyOut(digest, sizeBytes, to, executable) {
      const path = layout.object(digest);
      if (files.stat(path) === undefined) throw new DamagedObject(digest, "missing");
      const hash = createHash("sha256");
      let copiedBytes = 0;
      try {
        files.copy(path, to);
        await files.stream(to, (piece) => {
          copiedBytes += piece.length;
          hash.update(piece);
        });
        if (copiedBytes !== sizeBytes || hash.digest("hex") !== digest) throw new DamagedObject(digest, "damaged");
        files.setMode(to, executable ? "writable-executable" : "writable");
      } catch (error) {
        // What was there before is not ours to remove; a part of a copy is.
        if (errorCode(error) !== "EEXIST") files.remove(to);
        if (error instanceof DamagedObject) quarantine(digest);
        // The object could not be read, or the copy not be written? Only the first is a damage of the object.
        else if (isReadFault(error) && (await inspect(digest, sizeBytes, true)) !== "sound")
          throw new DamagedObject(digest, "damaged");
        throw error;
      }
    },
  };
}

/** The disk cannot give the bytes back, or another process took the object away: it is lost, and is made again. */
const isReadFault = (error: unknown): boolean => ["EIO", "ENOENT"].includes(errorCode(error) ?? "");
