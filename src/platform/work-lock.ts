/**
 * One at a time for work that two processes would else do twice: an installation, a download. The lock only saves work:
 * whoever holds it looks again whether the work is done, and puts its result in place whole, so that two holders at once
 * are harmless. So it may fall on the slightest sign that its holder is gone, and nobody ever has to remove it by hand.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { processIdentity } from "./process-tree.ts";

interface LockHolder {
  readonly pid: number;
  readonly identity: string;
  readonly host: string;
}

export interface WorkLock {
  release(): void;
}

export interface WorkLockOptions {
  /** Whether there is nothing left to do: then nobody needs the lock any more. */
  readonly done?: () => boolean;
  /** Called at each look at the lock of a living holder. */
  readonly onWait?: (pid: number) => void;
  readonly signal: AbortSignal;
}

const HEARTBEAT_MS = 5_000;
/** A holder on another host that missed so long of heartbeats is gone. */
const SILENCE_MS = 120_000;
const POLL_MS = 250;

/** Waits until the lock is ours, or `done()`; then `undefined`. Throws the signal's reason when it is aborted. */
export async function acquireWorkLock(
  path: string,
  { done, onWait, signal }: WorkLockOptions,
): Promise<WorkLock | undefined> {
  const self: LockHolder = { pid: process.pid, identity: processIdentity(process.pid) ?? "", host: hostname() };
  for (;;) {
    signal.throwIfAborted();
    if (done?.()) return undefined;
    try {
      writeFileSync(path, JSON.stringify(self), { flag: "wx" });
      return holdLock(path, self);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const text = readText(path);
    const holder = parseHolder(text);
    if (isGone(path, holder, self.host)) {
      takeAway(path, text);
      continue;
    }
    onWait?.(holder?.pid ?? 0);
    // Aborted, it goes on at once, to the throw above.
    await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

function holdLock(path: string, self: LockHolder): WorkLock {
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Taken away: then another one works too, which is harmless.
    }
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    release() {
      clearInterval(beat);
      const holder = parseHolder(readText(path));
      if (holder?.pid === self.pid && holder.identity === self.identity && holder.host === self.host) {
        rmSync(path, { force: true });
      }
    },
  };
}

/** Of several who see a dead holder's lock one moves it away, and a new holder's that got into its place is put back. */
function takeAway(path: string, text: string | undefined): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (readText(aside) !== text) linkSync(aside, path);
  } catch {
    // Yet another one has it by now: two holders, which is harmless.
  }
  rmSync(aside, { force: true });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function parseHolder(text: string | undefined): LockHolder | undefined {
  try {
    return JSON.parse(text ?? "") as LockHolder;
  } catch {
    return undefined;
  }
}

function isGone(path: string, holder: LockHolder | undefined, host: string): boolean {
  const silent = (ms: number): boolean => {
    try {
      return Date.now() - statSync(path).mtimeMs > ms;
    } catch {
      return true;
    }
  };
  if (holder === undefined) return silent(2_000); // being written this moment, or cut short
  return holder.host === host ? processIdentity(holder.pid) !== holder.identity : silent(SILENCE_MS);
}
