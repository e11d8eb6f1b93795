/**
 * One writer per fingerprint across processes. A lock only saves work: results are right with two holders too, since
 * objects and traces are written whole and by content. So a lock may fall on the slightest sign that its holder is gone,
 * and nobody ever has to remove one by hand.
 */
import { errorCode, type FileSystem } from "../platform/file-system.ts";
import type { StoreLayout } from "./store-layout.ts";

export interface LockHolder {
  readonly pid: number;
  /** Tells the process from a later one with the same number. */
  readonly identity: string;
  readonly host: string;
}

export interface Locks {
  /** Takes the lock, or says who has it. */
  tryAcquire(fingerprint: string): { readonly release: () => void } | { readonly holder: LockHolder };
}

export interface LocksOptions {
  readonly files: FileSystem;
  readonly layout: StoreLayout;
  readonly self: LockHolder;
  /** The identity of a process on this host, or undefined where none lives under the number. */
  readonly identify: (pid: number) => string | undefined;
  /** Calls back about every so many milliseconds without keeping the process alive; returns how to stop. */
  readonly every: (ms: number, callback: () => void) => () => void;
}

const HEARTBEAT_MS = 5_000;
/** A holder on another host that missed this many nanoseconds of heartbeats is gone. */
const SILENCE_NS = 60_000_000_000n;

export function createLocks({ files, layout, self, identify, every }: LocksOptions): Locks {
  const readLock = (path: string): string | undefined => {
    try {
      return files.readText(path);
    } catch {
      return undefined;
    }
  };
  /** Of several who see a dead holder's lock one moves it away, and a new holder's that got into its place is put back. */
  const takeAway = (path: string, seen: string | undefined): void => {
    const aside = layout.temporary();
    try {
      files.rename(path, aside);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      throw error;
    }
    try {
      const moved = readLock(aside);
      if (moved !== seen && moved !== undefined) files.writeNew(path, moved);
    } catch (error) {
      // Where yet another one has it by now, there are two holders, which is harmless.
      if (errorCode(error) !== "EEXIST") throw error;
    } finally {
      files.remove(aside);
    }
  };
  /** By the file system's own clock: how far a file touched now is from the lock, also where the clock went back. */
  const silenceNs = (path: string): bigint => {
    const probe = layout.temporary();
    files.writeNew(probe, "");
    const now = files.stat(probe)?.mtimeNs ?? 0n;
    files.remove(probe);
    const silence = now - (files.stat(path)?.mtimeNs ?? now);
    return silence < 0n ? -silence : silence;
  };
  const gone = (path: string, holder: LockHolder | undefined): boolean => {
    if (holder === undefined) return silenceNs(path) > 1_000_000_000n; // being written this moment, or cut short
    if (holder.host === self.host) return identify(holder.pid) !== holder.identity;
    return silenceNs(path) > SILENCE_NS;
  };
  return {
    tryAcquire(fingerprint) {
      const path = layout.lock(fingerprint);
      for (;;) {
        try {
          files.writeNew(path, JSON.stringify(self));
        } catch (error) {
          if (errorCode(error) !== "EEXIST") throw error;
          const seen = readLock(path);
          const holder = parseHolder(seen);
          // Released between our try and our look?
          if (files.stat(path) === undefined) continue;
          if (!gone(path, holder)) return { holder: holder ?? { pid: 0, identity: "", host: "unknown" } };
          takeAway(path, seen);
          continue;
        }
        const stop = every(HEARTBEAT_MS, () => {
          try {
            files.touch(path);
          } catch {
            // The lock was taken from us, or the store is gone: whoever works on will find out by other means.
          }
        });
        return {
          release() {
            stop();
            const seen = readLock(path);
            // Removed at once: a full disk has no room for a move.
            if (seen === JSON.stringify(self)) files.remove(path);
          },
        };
      }
    },
  };
}

/** Undefined for a lock that was cut short, or is no lock at all. */
function parseHolder(text: string | undefined): LockHolder | undefined {
  try {
    const holder = JSON.parse(text ?? "") as Partial<LockHolder> | null;
    return typeof holder?.pid === "number" && typeof holder.host === "string" ? (holder as LockHolder) : undefined;
  } catch {
    return undefined;
  }
}
