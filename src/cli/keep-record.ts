/** What is kept of a run that came to its end: its record, its report, and its name if it got one. */
import { join } from "node:path";
import { createRunStore, problemOfRunName } from "../cache/run-store.ts";
import { replaceFile } from "../cache/store-layout.ts";
import { describeRefusal } from "../execute/describe-refusal.ts";
import { digestOfRun, pipelineFolderName, readLastRun, writeLastRun } from "../execute/last-run.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { RunRecord } from "../record.ts";
import { runTitle } from "../report/run-title.ts";
import { type App, UsageError } from "./app.ts";
import { writeReport } from "./write-report.ts";

/** Throws where a name cannot be one; says so where another run has it. */
export function checkRunName(app: App, workspace: Workspace, name: string): void {
  const problem = problemOfRunName(name);
  if (problem !== undefined) throw new UsageError(problem, "as in: --name lower-rate");
  for (const record of createRunStore(workspace).records()) {
    if (record.name !== name) continue;
    app.err.write(`note: the run ${runTitle(record)} has that name too; from now on it means this one\n`);
    return;
  }
}

/**
 * A run that had nothing to do leaves a record of constant size, and the report as it is. Where the last record is not
 * of the same stages (of one of the two only some had been asked for), it is written whole: of a whole pipeline once.
 */
export async function keepRecord(
  app: App,
  workspace: Workspace,
  { pipeline, artifactsFolder }: { readonly pipeline: Pipeline; readonly artifactsFolder: string },
  record: RunRecord,
  nothingToDo: boolean,
): Promise<void> {
  const { files, layout } = workspace;
  try {
    const { kept, isWhole } = nothingToDo
      ? constantRecord(workspace, pipeline, record)
      : { kept: record, isWhole: false };
    files.makeFolder(layout.run(record.id));
    replaceFile(files, layout, join(layout.run(record.id), "run.json"), `${JSON.stringify(kept)}\n`);
    if (isWhole) writeLastRun(workspace, pipeline, record.id, fingerprintsOf(record));
  } catch (error) {
    const refusal = describeRefusal(error);
    if (refusal === undefined) throw error;
    // What the stages made is in place; only the record of this run is lost.
    app.err.write(`note: the run's record cannot be kept: ${refusal.message}\n`);
  }
  // The same trials may be judged by something else.
  if (nothingToDo && record.sweep === undefined) return;
  await writeReport(app, workspace, join(artifactsFolder, pipelineFolderName(pipeline)), record);
}

function constantRecord(
  workspace: Workspace,
  pipeline: Pipeline,
  record: RunRecord,
): { readonly kept: RunRecord; readonly isWhole: boolean } {
  const last = readLastRun(workspace, pipeline);
  if (last?.runId === undefined || last.runDigest !== digestOfRun(fingerprintsOf(record)))
    return { kept: record, isWhole: record.stages.length === pipeline.stages.length };
  return { kept: { ...record, stages: [], sameAs: last.runId }, isWhole: false };
}

function fingerprintsOf({ stages }: RunRecord): ReadonlyMap<string, string> {
  return new Map(stages.flatMap(({ stage, fingerprint }) => (fingerprint === undefined ? [] : [[stage, fingerprint]])));
}
