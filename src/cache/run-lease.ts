/**
 * What keeps the garbage collector and runs apart. A run takes its lease before its first write and then looks for the
 * collector's lock; the collector takes its lock and then looks for leases. So one of two sees the other.
 */
import { join } from "node:path";
import { errorCode, type FileSystem } from "../platform/file-system.ts";
import type { LockHolder } from "../platform/work-lock.ts";
import type { LockAttempt, Locks } from "./locks.ts";
import type { StoreLayout } from "./store-layout.ts";

export interface LeasedStore {
  readonly files: FileSystem;
  readonly layout: StoreLayout;
  readonly locks: Locks;
}

/** Every lock there is, and how to try it: a try removes what a dead holder left. */
export function listLocks({ files, layout, locks }: LeasedStore): readonly {
  readonly path: string;
  readonly attempt: () => LockAttempt;
}[] {
  const inFolder = (folder: string, attempt: (name: string) => LockAttempt) =>
    files
      .list(join(layout.root, folder))
      .filter((name) => name.endsWith(".json"))
      .map((name) => ({
        path: join(layout.root, folder, name),
        attempt: () => attempt(name.slice(0, -".json".length)),
      }));
  return [...inFolder("leases", locks.tryLease), ...inFolder("locks", locks.tryAcquire)];
}

/** What killed processes left. */
export function dropDeadLocks(store: LeasedStore): void {
  for (const lock of listLocks(store)) {
    const attempt = lock.attempt();
    if ("release" in attempt) attempt.release();
  }
}

/** Whoever runs now, or undefined. */
export function findLiveRun(store: LeasedStore): LockHolder | undefined {
  for (const lock of listLocks(store)) {
    const attempt = lock.attempt();
    if ("holder" in attempt) return attempt.holder;
    attempt.release();
  }
  return undefined;
}

/** For the collector, which is needed most where a disk is so full that there is no room for its lock. */
export function lockCollector({ files, layout, locks }: LeasedStore): LockAttempt {
  try {
    return locks.tryCollect();
  } catch (error) {
    if (!["ENOSPC", "EDQUOT"].includes(errorCode(error) ?? "")) throw error;
    // What only saves work makes some.
    files.remove(layout.memo("files"));
    return locks.tryCollect();
  }
}
