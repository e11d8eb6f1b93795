/**
 * One at a time for work that two processes would else do twice: a stage, an installation, a download. A lock only saves
 * work: whoever holds one looks again whether the work is done and puts its result in place whole, so two holders at once
 * are harmless. So it falls on the slightest sign that its holder is gone, and nobody ever has to remove one by hand.
 *
 * Time is told by the file system's own clock only: how far a file touched now is from the lock. Whether that clock is
 * wrong, differs from this host's or was set back makes no difference, and a lock from the future is as dead as one from
 * long ago.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { errorCode, type FileSystem, nodeFileSystem } from "./file-system.ts";
import { processIdentity } from "./process-tree.ts";
import { waitFor } from "./wait-for.ts";

export interface LockHolder {
  readonly pid: number;
  /** Tells the process from a later one with the same number; empty where the system does not say. */
  readonly identity: string;
  readonly host: string;
}

/** `process 12 on host`; of a lock that is being written this moment nobody knows. */
export function describeHolder({ pid, host }: LockHolder): string {
  return pid === 0 ? "another process" : `process ${pid} on ${host}`;
}

export interface HeldLock {
  /** Never throws: a lock that cannot be removed falls when its heartbeats are missed. */
  release(): void;
}

export interface LockParts {
  readonly files: Pick<FileSystem, "readText" | "stat" | "writeNew" | "append" | "rename" | "remove" | "touch">;
  readonly self: LockHolder;
  /** The identity of a process on this host, or undefined where none lives under the number. */
  readonly identify: (pid: number) => string | undefined;
  /** Calls back about every so many milliseconds without keeping the process alive; returns how to stop. */
  readonly every: (ms: number, callback: () => void) => () => void;
  /** A path that nobody else uses, on the lock's own file system. */
  readonly temporary: () => string;
}

const HEARTBEAT_MS = 5_000;
/** Who missed so many nanoseconds of heartbeats is gone, or has stopped. */
const SILENCE_NS = 60_000_000_000n;
/** A lock that does not say whose it is is being written this moment, or was cut short. */
const WRITING_NS = 500_000_000n;

/** Takes the lock, or says who has it. Throws what the file system says where a lock cannot be written. */
export function tryLock(parts: LockParts, path: string): HeldLock | { readonly holder: LockHolder } {
  const { files, self } = parts;
  // Each one differs, so that nobody takes a later lock of the same process for its own.
  const text = JSON.stringify({ ...self, token: randomUUID() });
  for (;;) {
    try {
      // Nobody holds a lock any more after a loss of power.
      files.writeNew(path, text, { flush: false });
      return hold(parts, path, text);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    const seen = readLock(parts, path);
    // Released between our try and our look?
    if (files.stat(path) === undefined) continue;
    const holder = parseHolder(seen);
    if (!isGone(parts, path, holder)) return { holder: holder ?? { pid: 0, identity: "", host: "unknown" } };
    takeAway(parts, path, seen);
  }
}

function hold(parts: LockParts, path: string, text: string): HeldLock {
  const { files, every } = parts;
  const stop = every(HEARTBEAT_MS, () => {
    try {
      // Another's, since ours was taken away, is not ours to keep alive.
      if (readLock(parts, path) === text) files.touch(path);
      else stop();
    } catch {
      // The store is gone: whoever works on will find out by other means.
    }
  });
  return {
    release() {
      stop();
      try {
        // Removed at once: a full disk has no room for a move. Between look and removal the lock can only become another's
        // if we were silent for a minute and wake up this moment; then there may be two holders, which is harmless.
        if (readLock(parts, path) === text) files.remove(path);
      } catch {
        // Nobody beats for it any more.
      }
    },
  };
}

/** Of several who see a dead holder's lock one moves it away, and a new holder's that got into its place is put back. */
function takeAway(parts: LockParts, path: string, seen: string | undefined): void {
  const { files } = parts;
  const aside = parts.temporary();
  try {
    files.rename(path, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  try {
    const moved = readLock(parts, aside);
    if (moved !== seen && moved !== undefined) files.writeNew(path, moved);
  } catch (error) {
    // Where yet another one has it by now, there are two holders, which is harmless.
    if (errorCode(error) !== "EEXIST") throw error;
  } finally {
    files.remove(aside);
  }
}

function isGone(parts: LockParts, path: string, holder: LockHolder | undefined): boolean {
  if (holder === undefined) return silenceNs(parts, path) > WRITING_NS;
  if (holder.host === parts.self.host && parts.identify(holder.pid) !== holder.identity) return true;
  return silenceNs(parts, path) > SILENCE_NS;
}

function silenceNs({ files, temporary }: LockParts, path: string): bigint {
  const probe = temporary();
  files.append(probe, "");
  const now = files.stat(probe)?.mtimeNs ?? 0n;
  files.remove(probe);
  const silence = now - (files.stat(path)?.mtimeNs ?? now);
  return silence < 0n ? -silence : silence;
}

function readLock({ files }: LockParts, path: string): string | undefined {
  try {
    return files.readText(path);
  } catch {
    return undefined;
  }
}

/** Undefined for a lock that was cut short, or is no lock at all. */
function parseHolder(text: string | undefined): LockHolder | undefined {
  try {
    const { pid, identity, host } = JSON.parse(text ?? "") as Partial<LockHolder>;
    return typeof pid === "number" && typeof identity === "string" && typeof host === "string"
      ? { pid, identity, host }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Without keeping the process alive. */
export function repeatEvery(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}

export interface WorkLockOptions {
  /** Whether there is nothing left to do: then nobody needs the lock any more. */
  readonly done?: () => boolean;
  /** Called at each look at the lock of a living holder. */
  readonly onWait?: (pid: number) => void;
  readonly signal: AbortSignal;
}

const POLL_MS = 250;

/** Waits until the lock is this process's, or `done()`; then `undefined`. Throws the signal's reason when it is aborted. */
export async function acquireWorkLock(
  path: string,
  { done, onWait, signal }: WorkLockOptions,
): Promise<HeldLock | undefined> {
  const parts: LockParts = {
    files: nodeFileSystem,
    self: { pid: process.pid, identity: processIdentity(process.pid) ?? "", host: hostname() },
    identify: processIdentity,
    every: repeatEvery,
    temporary: () => `${path}.${randomUUID()}`,
  };
  for (;;) {
    signal.throwIfAborted();
    if (done?.()) return undefined;
    const attempt = tryLock(parts, path);
    if ("release" in attempt) return attempt;
    onWait?.(attempt.holder.pid);
    // Aborted, it goes on at once, to the throw above.
    await waitFor(POLL_MS, signal);
  }
}
