/**
 * Who works in a store: one writer per fingerprint, a lease for every run, and one garbage collector. All are locks that
 * fall by themselves when their holder is gone; results are right with two holders too, since objects and traces are
 * written whole and by content.
 */
import { type HeldLock, type LockHolder, type LockParts, tryLock } from "../platform/work-lock.ts";
import type { StoreLayout } from "./store-layout.ts";

export type LockAttempt = HeldLock | { readonly holder: LockHolder };

/** Each throws what the file system says where it cannot be written. */
export interface Locks {
  /** Takes the lock of a fingerprint, or says who has it. */
  tryAcquire(fingerprint: string): LockAttempt;
  /** Of a run, by its id: from before its first write to its end. While there is one, nothing is collected. */
  tryLease(runId: string): LockAttempt;
  /** For the garbage collector. */
  tryCollect(): LockAttempt;
}

export interface LocksOptions extends Omit<LockParts, "temporary"> {
  readonly layout: Pick<StoreLayout, "lock" | "lease" | "collector" | "temporary">;
}

export function createLocks({ layout, ...parts }: LocksOptions): Locks {
  const locking = { ...parts, temporary: layout.temporary };
  return {
    tryAcquire: (fingerprint) => tryLock(locking, layout.lock(fingerprint)),
    tryLease: (runId) => tryLock(locking, layout.lease(runId)),
    tryCollect: () => tryLock(locking, layout.collector),
  };
}
