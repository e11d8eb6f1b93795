/** The record of a pipeline's last run in which something was done. */
import { join } from "node:path";
import { readLastRun } from "../execute/last-run.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { RunRecord } from "../record.ts";

export function readLastRecord(workspace: Workspace, pipeline: Pipeline): RunRecord | undefined {
  const last = readLastRun(workspace, pipeline);
  return last?.runId === undefined ? undefined : readRunRecord(workspace, last.runId);
}

export function readRunRecord({ files, layout }: Workspace, id: string): RunRecord | undefined {
  const text = files.readText(join(layout.run(id), "run.json"));
  return text === undefined ? undefined : (JSON.parse(text) as RunRecord);
}
