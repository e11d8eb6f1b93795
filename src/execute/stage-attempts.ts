/**
 * Executes a stage as often as its settings allow: a failed attempt gives its tokens back, waits twice as long as the one
 * before it, and asks for them again. Holds tokens only while something runs.
 */
import type { PipelineStage } from "../language/pipeline.ts";
import type { FailureRecord } from "../record.ts";
import type { ExecuteStageResult } from "./execute-stage.ts";
import type { Clock } from "./workspace.ts";

export interface AttemptOptions {
  readonly stage: Pick<PipelineStage, "execution">;
  readonly clock: Pick<Clock, "wait">;
  readonly signal: AbortSignal;
  /** Resolves with how to give the tokens back. */
  readonly acquire: () => Promise<() => void>;
  /** Whether nothing more is to be started. */
  readonly isStopped: () => boolean;
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

/** Undefined where the run was stopped before anything of the stage ran. */
export async function attemptStage(options: AttemptOptions): Promise<ExecuteStageResult | undefined> {
  const { stage, clock, signal } = options;
  const attempts = 1 + stage.execution.retries;
  const isOver = () => options.isStopped() || signal.aborted;
  let last: (ExecuteStageResult & { readonly result: "failed" }) | undefined;
  for (let attempt = 1; ; attempt++) {
    const release = await options.acquire();
    let ended: ExecuteStageResult;
    try {
      if (isOver()) break;
      ended = await options.execute(attempt);
    } finally {
      release();
    }
    if (ended.result !== "failed" || ended.isFinal === true || attempt === attempts) return ended;
    last = ended;
    if (isOver()) break;
    const pauseMs = pauseAfter(attempt);
    options.onRetry({ attempt, attempts, failure: ended.failure, pauseMs });
    await clock.wait(pauseMs, signal);
    if (isOver()) break;
  }
  if (last === undefined || !signal.aborted) return last;
  // The user did not wait for the next attempt: nothing is known about how it would have ended.
  const { failure: _failure, ...executed } = last;
  return { ...executed, result: "interrupted" };
}

/** 1 s, 2 s, 4 s, ... up to a minute. */
export function pauseAfter(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
}
