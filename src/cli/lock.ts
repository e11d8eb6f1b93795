/** `pipe lock`: writes what a pipeline's last run made beside the pipeline, to be committed. Runs nothing. */
import { checkLock } from "../execute/check-lock.ts";
import { pipelineFolderName, readLastRun } from "../execute/last-run.ts";
import { describe } from "../execute/lock-diagnostics.ts";
import type { Workspace } from "../execute/workspace.ts";
import { findResults, type LockedStage } from "../identity/lock.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { formatPlural } from "../report/format-count.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { openLockOrTell, showLockFile, writeLock } from "./lock-file.ts";
import { lockResult, withResults } from "./lock-results.ts";
import { needsCode, openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { resolveEngines } from "./resolve-engines.ts";

export async function lockCommand(app: App, words: readonly string[], options: PipelineOptions): Promise<ExitCode> {
  if (options.param.length > 0)
    throw new UsageError(
      "a lock is of the pipeline as its file has it",
      "write the value into a profile, and lock that",
    );
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const { pipeline, graph, artifactsFolder, userStages, stageNames, commandSuffix } = opened;
  if (stageNames.length > 0)
    throw new UsageError("a lock is of a whole pipeline", `leave ${stageNames.join(" and ")} out`);
  const before = await openLockOrTell(app, pipeline.file);
  if (before === "wrong") return 2;
  const engines = await resolveEngines(app, opened, { install: false });
  if (engines === undefined) return 2;
  const workspace = await app.openWorkspace(artifactsFolder, {
    paranoid: false,
    userStages,
    needsCode: needsCode(pipeline),
  });
  const run = `pipe run${commandSuffix}`;
  const made = lastResults(workspace, pipeline, findResults(before?.lock, pipeline.profiles)?.stages ?? {}, run);
  const lock = withResults(before?.lock, pipeline, made);
  const locked = findResults(lock, pipeline.profiles)!;
  const request = { pipeline, graph, stages: graph.order, locked, engines, forgiving: false };
  const { problems } = await checkLock(workspace, request);
  workspace.memo.save();
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  for (const problem of problems) {
    const why =
      problem.problem === "unreadable"
        ? problem.reason
        : "differences" in problem
          ? problem.differences.map((difference) => describe(difference, stages.get(problem.stage)!)).join("; ")
          : "it has no result";
    app.err.write(`error: what ${problem.stage} made last is not what it would make now: ${why}\n`);
  }
  if (problems.length > 0) {
    app.err.write(`  help: run it first: ${run}\n`);
    return 4;
  }
  const file = showLockFile(app, pipeline.file);
  const isNew = writeLock(app, pipeline.file, lock, before?.text);
  const what = `${pipelineFolderName(pipeline)}, ${formatPlural(pipeline.stages.length, "stage")}`;
  app.out.write(isNew ? `${file} was written: ${what}; commit it\n` : `${file} is up to date: ${what}\n`);
  return 0;
}

/** Of every stage what its last success made. */
function lastResults(
  workspace: Workspace,
  pipeline: Pipeline,
  locked: Readonly<Record<string, LockedStage>>,
  run: string,
): ReadonlyMap<string, LockedStage> {
  const last = readLastRun(workspace, pipeline)?.stages ?? {};
  return new Map(
    pipeline.stages.map((stage) => {
      const fingerprint = last[stage.name];
      const trace = fingerprint === undefined ? undefined : workspace.traces.find(fingerprint)[0];
      if (trace === undefined)
        throw new UsageError(
          `stage ${stage.name} ${fingerprint === undefined ? "has never run" : "is no longer in the store"}, so there is no result to lock`,
          `run it first: ${run}`,
        );
      return [stage.name, lockResult(workspace, stage, trace, locked[stage.name])!] as const;
    }),
  );
}
