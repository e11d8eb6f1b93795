/** A command that reads the store for long holds a lease, as a run does: while it is held, nothing is collected. */
import type { Workspace } from "../execute/workspace.ts";
import { type App, UsageError } from "./app.ts";

/** `what` would be lost, as in `what is to be verified`. A store that is leased already holds nobody up. */
export function holdStore(app: App, { locks }: Workspace, what: string): { readonly release: () => void } {
  const lease = locks.tryLease(app.newRunId());
  const collector = locks.tryCollect();
  if ("release" in collector) collector.release();
  else {
    if ("release" in lease) lease.release();
    throw new UsageError(`pipe gc is at work, and might free ${what}`, "try again once it has ended");
  }
  if (!("release" in lease)) return { release: () => {} };
  app.interrupts.kill.addEventListener("abort", lease.release, { once: true });
  return lease;
}
