/**
 * Executes a stage as often as its settings allow: a failed attempt gives its tokens back, waits twice as long as the one
 * before it, and asks for them again. Holds tokens only while something runs.
 */
import type { PipelineStage } from "../language/pipeline.ts";
import type { FailureRecord } from "../record.ts";
import type { Clock } from "./clock.ts";
import type { ExecuteStageResult } from "./execute-stage.ts";

export interface AttemptOptions {
  readonly stage: Pick<PipelineStage, "execution">;
  readonly clock: Pick<Clock, "wait">;
  readonly signal: AbortSignal;
  /** Resolves with how to give the tokens back. */
  readonly acquire: () => Promise<() => void>;
  /** Whether nothing more is to be started. */
  readonly isStopped: () => boolean;
  /** What became of it, while its tokens are still held: nothing begins in between. Not called where another attempt follows. */
  readonly settle: (ended: ExecuteStageResult) => Promise<void>;
  /** `attempt` from 1 on. */
  readonly execute: (attempt: number) => Promise<ExecuteStageResult>;
  readonly onRetry: (retry: {
    readonly attempt: number;
    readonly attempts: number;
    readonly failure: FailureRecord;
    readonly pauseMs: number;
  }) => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** False where the run was stopped before anything of the stage ran. */
export async function attemptStage(options: AttemptOptions): Promise<boolean> {
  const { stage, clock, signal, settle } = options;
  const attempts = 1 + stage.execution.retries;
  const isOver = () => options.isStopped() || signal.aborted;
  let last: (ExecuteStageResult & { readonly result: "failed" }) | undefined;
  for (let attempt = 1; !isOver() || last === undefined; attempt++) {
    const release = await options.acquire();
    try {
      if (isOver()) break;
      const ended = await options.execute(attempt);
      if (ended.result !== "failed" || ended.isFinal === true || attempt === attempts || isOver()) {
        await settle(ended);
        return true;
      }
      last = ended;
    } finally {
      release();
    }
    const pauseMs = pauseAfter(attempt);
    options.onRetry({ attempt, attempts, failure: last.failure, pauseMs });
    await clock.wait(pauseMs, signal);
  }
  if (last === undefined) return false;
  const { failure: _failure, ...executed } = last;
  // Where the user did not wait for the next attempt, nothing is known about how it would have ended.
  await settle(signal.aborted ? { ...executed, result: "interrupted" } : last);
  return true;
}

/** 1 s, 2 s, 4 s, ... up to a minute. */
export function pauseAfter(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
}
