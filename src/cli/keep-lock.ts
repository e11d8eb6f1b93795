/**
 * A run and the lock of its pipeline. A run of profiles that are locked, with the params of the file, brings the lock up
 * to date; with `--frozen` it refuses to, before anything runs where that can be known, else at its end.
 */
import type { ResolvedEngine } from "../execute/engine-port.ts";
import type { Workspace } from "../execute/workspace.ts";
import { findResults, type LockedResults, type LockedStage, resultsName } from "../identity/lock.ts";
import type { StageRecord } from "../record.ts";
import { formatPlural } from "../report/format-count.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type OpenedLock, openLockOrTell, showLockFile, writeLock } from "./lock-file.ts";
import { isResult, lockResult, withResults } from "./lock-results.ts";
import type { OpenedPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface RunLock {
  readonly opened: OpenedLock;
  readonly locked: LockedResults;
}

/** Undefined where the run is none that the lock knows; `wrong` where there is a lock that cannot be read, which was told. */
export async function openRunLock(
  app: App,
  { pipeline, commandSuffix }: OpenedPipeline,
  { param, frozen }: PipelineOptions & { readonly frozen: boolean },
): Promise<RunLock | "wrong" | undefined> {
  if (param.length > 0) {
    if (frozen)
      throw new UsageError("--frozen and --param do not go together", "a lock is of the pipeline as its file has it");
    return undefined;
  }
  const opened = await openLockOrTell(app, pipeline.file);
  if (opened === "wrong") return opened;
  const locked = findResults(opened?.lock, pipeline.profiles);
  if (opened !== undefined && locked !== undefined) return { opened, locked };
  if (!frozen) return undefined;
  const what = resultsName(pipeline.name, pipeline.profiles);
  throw new UsageError(
    `there is no lock of ${what} in ${showLockFile(app, pipeline.file)}`,
    `write it with: pipe lock${commandSuffix}`,
  );
}

/** True where the lock holds for all that would run; else it was told which stages would change it. */
export async function holdsLock(
  app: App,
  workspace: Workspace,
  { pipeline, graph, selected, texts, commandSuffix }: OpenedPipeline,
  { opened, locked }: RunLock,
  engines: ReadonlyMap<string, ResolvedEngine>,
): Promise<boolean> {
  const { checkLock } = await import("../execute/check-lock.ts");
  const request = { pipeline, graph, stages: selected, locked, engines, forgiving: false };
  const { problems, behind } = await checkLock(workspace, request);
  if (problems.length === 0) return true;
  const { createLockPlaces } = await import("../identity/parse-lock.ts");
  const { diagnoseLock } = await import("../execute/lock-diagnostics.ts");
  const { renderDiagnostics } = await import("../diagnostics/render-diagnostic.ts");
  const places = { file: opened.file, name: opened.lock.pipeline, placeOf: createLockPlaces(opened) };
  const diagnostics = diagnoseLock(problems, pipeline, places, `pipe run${commandSuffix}`);
  const shown = new Map([...texts, [opened.file, opened.text]]);
  app.err.write(renderDiagnostics(diagnostics, shown, { color: app.err.color }));
  const changing = [...new Set(problems.map(({ stage }) => stage))];
  const after = behind.length === 0 ? "" : `, and perhaps ${behind.join(", ")} after that`;
  app.err.write(`nothing was run: ${changing.join(", ")} would change ${opened.file}${after}\n`);
  return false;
}

/** After a run that did what it was asked: its exit code. */
export function settleLock(
  app: App,
  workspace: Workspace,
  opened: OpenedPipeline,
  lock: RunLock,
  records: readonly StageRecord[],
  frozen: boolean,
): ExitCode {
  if (!frozen) {
    keepLock(app, workspace, opened, lock, records);
    return 0;
  }
  const others = findOtherResults(lock, records);
  if (others.length === 0) return 0;
  app.err.write(`error: ${others.join(", ")} made something else than ${lock.opened.file} says, which stays as it is
`);
  return 4;
}

/** Stages that came to something else than is locked. */
function findOtherResults({ locked }: RunLock, records: readonly StageRecord[]): readonly string[] {
  return records.flatMap((record) => {
    const before = locked.stages[record.stage];
    const isSame = before !== undefined && record.fingerprint !== undefined && isResult(before, withKey(record));
    return isSame ? [] : [record.stage];
  });
}

const withKey = (record: StageRecord) => ({ ...record, fingerprint: record.fingerprint! });

function keepLock(
  app: App,
  workspace: Workspace,
  { pipeline }: OpenedPipeline,
  { opened, locked }: RunLock,
  records: readonly StageRecord[],
): void {
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const made = new Map<string, LockedStage>();
  for (const record of records) {
    const stage = stages.get(record.stage)!;
    const found =
      record.fingerprint === undefined
        ? undefined
        : lockResult(workspace, stage, withKey(record), locked.stages[record.stage]);
    if (found !== undefined) made.set(record.stage, found);
    else app.err.write(`note: the store has no trace of ${record.stage}, so ${opened.file} keeps what it had\n`);
  }
  const changed = [...made].filter(([name, stage]) => {
    const before = locked.stages[name];
    return before === undefined || !isResult(before, stage);
  });
  const isSame =
    opened.lock.pipeline === pipeline.name &&
    [...made].every(([name, stage]) => locked.stages[name] === stage) &&
    Object.keys(locked.stages).every((name) => stages.has(name));
  if (isSame) return;
  try {
    if (!writeLock(app, pipeline.file, withResults(opened.lock, pipeline, made), opened.text)) return;
    const what = changed.length === 0 ? "" : `: ${formatPlural(changed.length, "stage")} changed`;
    app.err.write(`note: ${opened.file} was brought up to date${what}; commit it\n`);
  } catch (error) {
    app.err.write(`note: ${opened.file} could not be written: ${error instanceof Error ? error.message : error}\n`);
  }
}
