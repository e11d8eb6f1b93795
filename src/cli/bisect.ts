/** `pipe bisect <run> <run>`: where two runs part, down to the first minibatch and tensor, and by what class of cause. */
import { bisectRuns } from "../cache/bisect-runs.ts";
import { renderBisection } from "../report/render-bisection.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { needRun, openRuns, type RunsOptions } from "./open-runs.ts";

export interface BisectOptions extends RunsOptions {
  readonly json: boolean;
}

export async function bisectCommand(app: App, words: readonly string[], options: BisectOptions): Promise<ExitCode> {
  const opened = await openRuns(app, words, options, 2);
  if (opened === undefined) return 2;
  const [before, after] = opened.rest;
  if (before === undefined || after === undefined || opened.rest.length > 2)
    throw new UsageError("bisect takes two runs", "as in: pipe bisect baseline last (`pipe runs` lists them)");
  const { runs, workspace } = opened;
  const parts = { ...workspace, runs, comparer: app.comparer };
  const bisection = await bisectRuns(parts, needRun(opened, before), needRun(opened, after));
  if (options.json) app.out.write(`${JSON.stringify(bisection)}\n`);
  else app.out.write(`${renderBisection(bisection, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}
