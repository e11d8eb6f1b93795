/**
 * What keeps the garbage collector and runs apart: locks beside those of fingerprints, so that a dead holder's falls as
 * theirs do. A run holds its lease from before its first write to its end, the collector its lock, and each looks for the
 * other's after it has its own.
 */
import { join } from "node:path";
import type { FileSystem } from "../platform/file-system.ts";
import type { LockHolder, Locks } from "./locks.ts";
import type { StoreLayout } from "./store-layout.ts";

export const COLLECTOR_LOCK = "collect-garbage";

export function leaseName(runId: string): string {
  return `${PREFIX}${runId}`;
}
const PREFIX = "run-";

/** Removes what runs left that were killed. */
export function dropDeadLeases(files: FileSystem, layout: StoreLayout, locks: Locks): void {
  for (const name of files.list(join(layout.root, "locks"))) {
    if (!name.startsWith(PREFIX)) continue;
    const attempt = locks.tryAcquire(name.replace(/\.json$/, ""));
    if ("release" in attempt) attempt.release();
  }
}

/** Whoever runs now, or undefined. What dead holders left is removed on the way. */
export function findLiveRun(files: FileSystem, layout: StoreLayout, locks: Locks): LockHolder | undefined {
  for (const name of files.list(join(layout.root, "locks"))) {
    const held = name.replace(/\.json$/, "");
    if (held === COLLECTOR_LOCK) continue;
    const attempt = locks.tryAcquire(held);
    if ("holder" in attempt) return attempt.holder;
    attempt.release();
  }
  return undefined;
}
