/** `pipe doctor`: examines the whole store, repairs what can be, and says what is left for a person. */
import { examineStore } from "../cache/examine-store.ts";
import type { App, ExitCode } from "./app.ts";
import { openRuns } from "./open-runs.ts";

export interface DoctorOptions {
  readonly json: boolean;
  readonly artifacts?: string;
}

export async function doctorCommand(app: App, { json, artifacts }: DoctorOptions): Promise<ExitCode> {
  const opened = await openRuns(app, [], { profile: [], ...(artifacts === undefined ? {} : { artifacts }) }, 0);
  if (opened === undefined) return 2;
  const { workspace, runs } = opened;
  const examined = await examineStore({ ...workspace, runs }, Date.parse(workspace.clock.date()));
  const left = examined.findings.filter(({ repaired }) => !repaired).length;
  if (json) app.out.write(`${JSON.stringify(examined)}\n`);
  else {
    for (const { path, problem, outcome } of examined.findings) app.out.write(`${path}: ${problem}; ${outcome}\n`);
    const { objects, traces, checkpoints, runs, quarantined } = examined;
    app.out.write(
      `examined ${objects} objects, ${traces} traces, ${checkpoints} checkpoints, ${runs} runs: ` +
        `${examined.findings.length === 0 ? "all is right" : `${examined.findings.length - left} repaired, ${left} left`}\n`,
    );
    if (quarantined > 0) app.out.write(`${quarantined} in quarantine, which is never used: pipe gc frees it\n`);
  }
  return left === 0 ? 0 : 4;
}
