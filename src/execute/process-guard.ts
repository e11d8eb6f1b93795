/**
 * Sees to it that a stage's process ends: when its time is over, when it does not stop although it was asked to, and when
 * it said that it was done and stays all the same. What the guard ends is ended with everything it started, and is a
 * failure that says so.
 */
import { descendantsOf, killTree, processIdentity } from "../platform/process-tree.ts";
import type { FailureRecord } from "../record.ts";
import type { Clock } from "./clock.ts";

export interface ProcessGuardOptions {
  /** Of a process that leads its own group. */
  readonly pid: number;
  readonly clock: Pick<Clock, "wait">;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

export interface ProcessGuard {
  /** Ends the process and all it started, at once. Does nothing once it has ended. */
  readonly kill: () => void;
  /** It has said its last: now it should end by itself. */
  readonly expectEnd: () => void;
  /** It has ended. Gives why the guard ended it, where it did. */
  readonly ended: () => Omit<FailureRecord, "lastOutput"> | undefined;
}

/** To finish the current step and save a checkpoint. */
const STOP_MS = 60_000;
/** To close what a library has opened. */
const EXIT_MS = 10_000;

export function guardProcess({ pid, clock, signal, timeoutMs }: ProcessGuardOptions): ProcessGuard {
  const over = new AbortController();
  let isDone = false;
  let why: Omit<FailureRecord, "lastOutput"> | undefined;
  /** What it had started when it was last looked at, with what tells each from a later one of the same number. */
  const family = new Map<number, string | undefined>();
  const killFamily = () => {
    for (const [one, identity] of family)
      if (identity !== undefined && processIdentity(one) === identity) killTree(one);
  };
  const kill = () => {
    if (over.signal.aborted) return;
    killTree(pid);
    killFamily();
  };
  const endAfter = async (ms: number, counts: () => boolean, failure: Omit<FailureRecord, "lastOutput">) => {
    await clock.wait(ms, over.signal);
    if (over.signal.aborted || !counts()) return;
    why ??= failure;
    kill();
  };
  const works = () => !isDone;
  const onAbort = () => {
    // It may end at once, and then nobody knows any more what it has started.
    for (const one of descendantsOf(pid)) family.set(one, processIdentity(one));
    void endAfter(STOP_MS, works, {
      message: `it was asked to stop and did not within ${STOP_MS / 1000} s, so it was killed`,
      help: "a stage that runs for long looks at ctx.signal between its steps",
    });
  };
  if (timeoutMs !== undefined)
    void endAfter(timeoutMs, works, {
      message: `it ran longer than its timeout of ${secondsText(timeoutMs)}, and was killed`,
      help: "give it more time (`timeout`), or less to do",
    });
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true, signal: over.signal });
  return {
    kill,
    expectEnd() {
      isDone = true;
      void endAfter(EXIT_MS, () => true, {
        message: `it was done, and its process did not end within ${EXIT_MS / 1000} s, so it was killed`,
        help: "run it again; if it happens each time, a library that it uses does not let go of its threads",
      });
    },
    ended() {
      killFamily();
      over.abort();
      return why;
    },
  };
}

/** `90 s`, `10 min`, `2 h`: in the unit in which it is a whole number. */
function secondsText(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}
