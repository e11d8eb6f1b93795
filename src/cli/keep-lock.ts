/**
 * A run and the lock of its pipeline. A run of profiles that are locked, with the params of the file, brings the lock up
 * to date; with `--frozen` it refuses to, before anything runs where that can be known, else at its end.
 *
 * What was found to agree is remembered by digests, of the lock, the pipeline and the results: a run with nothing to do
 * reads no lock but for its digest.
 */
import { join } from "node:path";
import { replaceFile } from "../cache/store-layout.ts";
import type { ResolvedEngine } from "../execute/engine-port.ts";
import type { Workspace } from "../execute/workspace.ts";
import { digestBytes } from "../identity/digest.ts";
import { findResults, type LockedResults, type LockedStage, resultsName } from "../identity/lock.ts";
import { readSealed, sealText } from "../identity/sealed-text.ts";
import type { StageRecord } from "../record.ts";
import { formatPlural } from "../report/format-count.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { lockPath, type OpenedLock, openLockOrTell, showLockFile, writeLock } from "./lock-file.ts";
import { isResult, lockResult, withResults } from "./lock-results.ts";
import type { OpenedPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface RunLock {
  readonly opened: OpenedLock;
  readonly locked: LockedResults;
}

/** A lock that agreed with results of this digest, and has not been read. */
interface AgreedLock {
  readonly agreed: string;
}

/** Undefined where the run is none that the lock knows; `wrong` where there is a lock that cannot be read, which was told. */
export async function openRunLock(
  app: App,
  given: OpenedPipeline,
  { param, frozen, sweep }: PipelineOptions & { readonly frozen: boolean },
): Promise<RunLock | AgreedLock | "wrong" | undefined> {
  const { pipeline, commandSuffix } = given;
  if (param.length > 0 || sweep !== undefined) {
    if (frozen)
      throw new UsageError("--frozen and --param do not go together", "a lock is of the pipeline as its file has it");
    return undefined;
  }
  const known = frozen ? undefined : recall(app, given);
  if (known !== undefined) return known;
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
export async function settleLock(
  app: App,
  workspace: Workspace,
  opened: OpenedPipeline,
  lock: RunLock | AgreedLock,
  records: readonly StageRecord[],
  frozen: boolean,
): Promise<ExitCode> {
  if ("agreed" in lock) {
    if (digestOfResults(records) === lock.agreed) return 0;
    const read = await openLockOrTell(app, opened.pipeline.file);
    const locked = read === "wrong" ? undefined : findResults(read?.lock, opened.pipeline.profiles);
    // Somebody took it away while the stages ran.
    if (read === "wrong" || read === undefined || locked === undefined) return 0;
    keepLock(app, workspace, opened, { opened: read, locked }, records);
    return 0;
  }
  if (!frozen) {
    keepLock(app, workspace, opened, lock, records);
    return 0;
  }
  const others = findOtherResults(lock, records);
  if (others.length === 0) return 0;
  app.err.write(
    `error: ${others.join(", ")} made something else than ${lock.opened.file} says, which stays as it is\n`,
  );
  return 4;
}

/** Undefined where the lock or the pipeline is not what it was when they agreed. */
function recall(app: App, { pipeline, artifactsFolder, identity }: OpenedPipeline): AgreedLock | undefined {
  if (identity === undefined) return undefined;
  const path = lockPath(app, pipeline.file);
  const text = app.files.stat(path) === undefined ? undefined : app.files.readText(path);
  if (text === undefined) return undefined;
  const memo = join(artifactsFolder, ".store", "memo", `${memoName(pipeline)}.json`);
  const [format, lock, made, agreed] = readSealed(app.files, memo)?.body.split("\n") ?? [];
  const isKnown = format === MEMO_FORMAT && lock === digestBytes(text) && made === identity;
  return isKnown && agreed !== undefined ? { agreed } : undefined;
}

/** Quiet where it cannot be kept: it only saves work. */
function note(
  { files, layout }: Workspace,
  { pipeline, identity }: OpenedPipeline,
  { text }: OpenedLock,
  records: readonly StageRecord[],
): void {
  if (identity === undefined) return;
  const body = [MEMO_FORMAT, digestBytes(text), identity, digestOfResults(records)].join("\n");
  try {
    replaceFile(files, layout, layout.memo(memoName(pipeline)), sealText(body).text);
  } catch {
    // The lock is read again next time.
  }
}

const MEMO_FORMAT = "tfpipe/agreed/1";

const memoName = ({ name, profiles }: OpenedPipeline["pipeline"]): string => `lock-${resultsName(name, profiles)}`;

function digestOfResults(records: readonly StageRecord[]): string {
  const made = records.map(({ stage, fingerprint, outputs, metrics }) => [stage, fingerprint, outputs, metrics]);
  return digestBytes(JSON.stringify(made));
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
  given: OpenedPipeline,
  { opened, locked }: RunLock,
  records: readonly StageRecord[],
): void {
  const { pipeline } = given;
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
  if (isSame) {
    note(workspace, given, opened, records);
    return;
  }
  try {
    if (!writeLock(app, pipeline.file, withResults(opened.lock, pipeline, made), opened.text)) return;
    const what = changed.length === 0 ? "" : `: ${formatPlural(changed.length, "stage")} changed`;
    app.err.write(`note: ${opened.file} was brought up to date${what}; commit it\n`);
  } catch (error) {
    app.err.write(`note: ${opened.file} could not be written: ${error instanceof Error ? error.message : error}\n`);
  }
}
