/** `pipe runs`: the runs that are kept, newest first. */
import { didNothing, inScope, type RunStore, wholeRecord } from "../cache/run-store.ts";
import type { RunRecord } from "../record.ts";
import { type ListedRun, type RunOutcome, renderRuns } from "../report/render-runs.ts";
import type { App, ExitCode } from "./app.ts";
import { openRuns, type RunsOptions } from "./open-runs.ts";

export interface ListRunsOptions extends RunsOptions {
  readonly json: boolean;
  /** At most so many. */
  readonly limit: number;
}

export async function runsCommand(app: App, words: readonly string[], options: ListRunsOptions): Promise<ExitCode> {
  const opened = await openRuns(app, words, options, 0);
  if (opened === undefined) return 2;
  const { runs, scope } = opened;
  const listed: ListedRun[] = [];
  for (const run of everyRun(runs)) {
    if (listed.length === options.limit) break;
    if (inScope(run, scope)) listed.push(run);
  }
  if (options.json) for (const run of listed) app.out.write(`${JSON.stringify(run)}\n`);
  else app.out.write(`${renderRuns(listed, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}

function* everyRun(runs: RunStore): Generator<ListedRun> {
  for (const { id, record } of runs.entries()) {
    const run = record === undefined ? unfinishedRun(runs, id) : finishedRun(runs, record);
    if (run !== undefined) yield run;
  }
}

function finishedRun(runs: RunStore, record: RunRecord): ListedRun {
  const { id, name, pipeline, profiles, startedAt, durationMs, exitCode, sweep } = record;
  const { stages } = wholeRecord(runs, record) ?? record;
  const counts: Record<string, number> = {};
  for (const { outcome } of stages) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return {
    id,
    ...(name === undefined ? {} : { name }),
    pipeline,
    profiles,
    startedAt,
    outcome: outcomeOf(record),
    durationMs,
    exitCode,
    stages: counts,
    ...(sweep === undefined ? {} : { sweep }),
    metrics: Object.fromEntries(
      stages.filter(({ metrics }) => Object.keys(metrics).length > 0).map(({ stage, metrics }) => [stage, metrics]),
    ),
  };
}

function outcomeOf(record: RunRecord): RunOutcome {
  if (record.exitCode === 130) return "interrupted";
  if (record.exitCode !== 0) return "failed";
  return didNothing(record) ? "fresh" : "done";
}

/** Killed, or still going on: what its id and its first event tell. */
function unfinishedRun(runs: RunStore, id: string): ListedRun | undefined {
  const start = runs.readStart(id);
  const began = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-/.exec(id);
  if (start === undefined || began === null) return undefined;
  const [, year, month, day, hour, minute, second] = began;
  const { pipeline, profiles } = start;
  return {
    id,
    pipeline,
    profiles,
    startedAt: `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`,
    outcome: "unfinished",
    stages: {},
    metrics: {},
  };
}
