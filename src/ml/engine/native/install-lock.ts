/**
 * One installation at a time, so that two that start together do not both download. The lock only saves work: each
 * installs into a folder of its own and renames it into place, and the second to come finds the first's. So it may fall
 * on the slightest sign that its holder is gone, and nobody ever has to remove it by hand.
 */
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { processIdentity } from "../../../platform/process-tree.ts";

interface LockHolder {
  readonly pid: number;
  readonly identity: string;
  readonly host: string;
}

const HEARTBEAT_MS = 5_000;
/** A holder on another host that missed so long of heartbeats is gone. */
const SILENCE_MS = 120_000;
const POLL_MS = 250;

/** Waits until the lock is ours, or until `done()` says that there is nothing left to do; then `undefined`. */
export async function acquireInstallLock(
  path: string,
  { done, onWait, signal }: { done: () => boolean; onWait: (pid: number) => void; signal: AbortSignal },
): Promise<{ release(): void } | undefined> {
  const self: LockHolder = { pid: process.pid, identity: processIdentity(process.pid) ?? "", host: hostname() };
  for (;;) {
    if (done()) return undefined;
    try {
      writeFileSync(path, JSON.stringify(self), { flag: "wx" });
      return holdLock(path, self);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const holder = readHolder(path);
    if (isGone(path, holder, self.host)) {
      rmSync(path, { force: true });
      continue;
    }
    onWait(holder?.pid ?? 0);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function holdLock(path: string, self: LockHolder): { release(): void } {
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Taken away: then another one installs too, which is harmless.
    }
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    release() {
      clearInterval(beat);
      const holder = readHolder(path);
      if (holder?.pid === self.pid && holder.identity === self.identity && holder.host === self.host) {
        rmSync(path, { force: true });
      }
    },
  };
}

function readHolder(path: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as LockHolder;
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
