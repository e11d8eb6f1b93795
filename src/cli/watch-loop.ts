/**
 * Run, wait until something is saved, run again. The loop knows neither files nor time: what it does is told by its ports.
 * A change is never lost: what is saved while a round reads or runs makes another round.
 */
import type { ExitCode } from "./app.ts";

export interface WatchRound {
  /** Absolute paths: a change of one of them makes another round. */
  readonly watched: readonly string[];
  readonly run: () => Promise<ExitCode>;
}

export interface WatchLoopPorts {
  /** Reads the pipeline as it is now. */
  readonly open: () => Promise<WatchRound>;
  /** Gives how to stop watching. */
  readonly watch: (paths: readonly string[], onChange: (path: string) => void) => () => void;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Aborted when the user has seen enough. */
  readonly stop: AbortSignal;
  readonly onIdle: (watched: readonly string[]) => void;
  readonly onChanged: (paths: readonly string[]) => void;
}

/** One save is many changes: a round begins when there was none for so long. */
const QUIET_MS = 100;

/** 0 where it was stopped between two rounds, else what the interrupted round ended with. */
export async function watchLoop({ open, watch, wait, stop, onIdle, onChanged }: WatchLoopPorts): Promise<ExitCode> {
  const changed = new Set<string>();
  let changes = 0;
  let wake = () => {};
  let unwatch = () => {};
  const onChange = (path: string) => {
    changed.add(path);
    changes++;
    wake();
  };
  const untilChanged = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
      if (changed.size > 0 || stop.aborted) resolve();
    });
  const onStop = () => wake();
  stop.addEventListener("abort", onStop, { once: true });
  try {
    for (;;) {
      const round = await open();
      // The old watch ends when the new one has begun.
      const unwatchOld = unwatch;
      unwatch = watch(round.watched, onChange);
      unwatchOld();
      const code = await round.run();
      if (stop.aborted) return code;
      if (changed.size === 0) onIdle(round.watched);
      await untilChanged();
      for (let seen = -1; seen !== changes && !stop.aborted; ) {
        seen = changes;
        await wait(QUIET_MS, stop);
      }
      if (stop.aborted) return 0;
      onChanged([...changed]);
      changed.clear();
    }
  } finally {
    stop.removeEventListener("abort", onStop);
    unwatch();
  }
}
