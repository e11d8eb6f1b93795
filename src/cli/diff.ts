/** `pipe diff <run> <run>`: what differs between two runs. */
import { compareRuns } from "../cache/compare-runs.ts";
import { renderDiff } from "../report/render-diff.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { needRun, openRuns, type RunsOptions } from "./open-runs.ts";

export interface DiffOptions extends RunsOptions {
  readonly json: boolean;
}

export async function diffCommand(app: App, words: readonly string[], options: DiffOptions): Promise<ExitCode> {
  const opened = await openRuns(app, words, options, 2);
  if (opened === undefined) return 2;
  const [before, after] = opened.rest;
  if (before === undefined || after === undefined || opened.rest.length > 2)
    throw new UsageError("diff takes two runs", "as in: pipe diff last~1 last (`pipe runs` lists them)");
  const { runs, workspace } = opened;
  const comparison = compareRuns({ runs, traces: workspace.traces }, needRun(opened, before), needRun(opened, after));
  if (options.json) app.out.write(`${JSON.stringify(comparison)}\n`);
  else app.out.write(`${renderDiff(comparison, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}
