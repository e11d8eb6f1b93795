/**
 * `pipe bisect <run> <run>`: where two runs part, down to the first minibatch and tensor, and by what class of cause.
 * Trainings are executed again beside the store, up to where they part, unless `--no-replay` is given.
 */
import { bisectRuns, type ReplayTraining } from "../cache/bisect-runs.ts";
import type { Workspace } from "../execute/workspace.ts";
import { renderBisection } from "../report/render-bisection.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { holdStore } from "./hold-store.ts";
import { needRun, openRuns, type RunsOptions } from "./open-runs.ts";
import { createProgressLine } from "./progress-line.ts";

export interface BisectOptions extends RunsOptions {
  readonly json: boolean;
  /** Execute again what parts, as far as this machine can. */
  readonly replay: boolean;
}

export async function bisectCommand(app: App, words: readonly string[], options: BisectOptions): Promise<ExitCode> {
  const opened = await openRuns(app, words, options, 2);
  if (opened === undefined) return 2;
  const [before, after] = opened.rest;
  if (before === undefined || after === undefined || opened.rest.length > 2)
    throw new UsageError("bisect takes two runs", "as in: pipe bisect baseline last (`pipe runs` lists them)");
  const { runs, workspace } = opened;
  const pair = [needRun(opened, before), needRun(opened, after)] as const;
  const parts = { ...workspace, runs, comparer: app.comparer };
  let bisection: Awaited<ReturnType<typeof bisectRuns>>;
  if (options.replay) {
    app.interrupts.listen();
    const lease = holdStore(app, workspace, "what is to be replayed");
    try {
      bisection = await bisectRuns({ ...parts, replay: await openReplay(app, workspace) }, ...pair);
    } finally {
      lease.release();
    }
  } else bisection = await bisectRuns(parts, ...pair);
  if (options.json) app.out.write(`${JSON.stringify(bisection)}\n`);
  else app.out.write(`${renderBisection(bisection, { color: app.out.color, columns: app.out.columns() })}\n`);
  return app.interrupts.stop.aborted ? 130 : 0;
}

async function openReplay(app: App, workspace: Workspace): Promise<ReplayTraining> {
  const { createTrainingReplay } = await import("../execute/replay-training.ts");
  const line = createProgressLine(app.err, app.nowMs);
  let probe = "";
  const replay = createTrainingReplay(workspace, {
    comparer: app.comparer,
    worker: app.worker,
    environment: app.environment,
    signal: app.interrupts.stop,
    killSignal: app.interrupts.kill,
    onProbe(epoch, minibatch) {
      probe = `replays to minibatch ${minibatch} of epoch ${epoch}`;
      if (app.err.isTerminal) line.show({ phase: probe, done: 0, unit: "" });
    },
    onMessage(message) {
      if (message.type === "progress" && app.err.isTerminal) line.show({ ...message.progress, phase: probe });
    },
  });
  return async (...sides) => {
    try {
      return await replay(...sides);
    } finally {
      line.end();
    }
  };
}
