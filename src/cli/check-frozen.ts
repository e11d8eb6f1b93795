/**
 * `pipe check --frozen`: whether what is locked still follows from the files that are here. Made for CI: without data,
 * without an engine and without anything that was made, in a fraction of a second.
 */
import { dirname, relative, resolve } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { type PlacedDiagnostic, placeDiagnostics } from "../diagnostics/place-diagnostic.ts";
import { renderDiagnostics } from "../diagnostics/render-diagnostic.ts";
import { checkLock, type UncheckedPart } from "../execute/check-lock.ts";
import { diagnoseLock } from "../execute/lock-diagnostics.ts";
import type { Workspace } from "../execute/workspace.ts";
import { buildStageGraph } from "../graph/stage-graph.ts";
import { findResults, type LockedResults, resultsName } from "../identity/lock.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import type { CheckedAttestation } from "./attest.ts";
import { loadPipelineText } from "./load-pipeline-text.ts";
import { type OpenedLock, openLock, showLockFile } from "./lock-file.ts";
import { findLockedEngines } from "./locked-engines.ts";
import { findArtifactsFolder, needsCode } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";
import { findUnsupported } from "./unsupported-settings.ts";

/** `files`: pipelines that were named, or all there are: then those without a lock are only mentioned. */
export async function checkFrozen(
  app: App,
  files: readonly string[],
  options: PipelineOptions & { readonly json: boolean; readonly attestation?: string },
  areNamed: boolean,
): Promise<ExitCode> {
  if (options.param.length > 0)
    throw new UsageError("--frozen and --param do not go together", "a lock is of the pipeline as its file has it");
  const reports: FrozenReport[] = [];
  for (const file of files) {
    const found = await checkFile(app, file, options);
    if (found.length === 0 && areNamed) throw noLock(app, file, options);
    reports.push(...(found.length > 0 ? found : [await checkUnlocked(app, file)]));
  }
  if (reports.every(({ lock }) => lock === undefined))
    throw new UsageError("no pipeline here has a lock", "write one with: pipe lock <pipeline>, and commit it");
  const attestation =
    options.attestation === undefined ? undefined : await readAttestation(app, files, options.attestation);
  if (options.json) printJson(app, reports, attestation);
  else for (const report of reports) printReport(app, report);
  if (attestation !== undefined && !options.json) printAttestation(app, attestation);
  const codes: readonly number[] = [
    ...reports.map(({ exitCode }) => exitCode),
    ...(attestation?.problem === undefined ? [] : [4]),
  ];
  return codes.includes(2) ? 2 : codes.includes(4) ? 4 : 0;
}

async function readAttestation(app: App, files: readonly string[], file: string): Promise<CheckedAttestation> {
  const [pipeline, ...more] = files;
  if (more.length > 0) throw new UsageError("an attestation is of one pipeline", `name it: ${files.join(" or ")}`);
  const { checkAttestation } = await import("./attest.ts");
  return checkAttestation(app, pipeline!, file);
}

function printAttestation(app: App, { file, problem, keyId = "" }: CheckedAttestation): void {
  if (problem === undefined) app.out.write(`${file} holds: signed by the trusted key ${keyId.slice(0, 16)}\n`);
  else app.err.write(`error: ${file} does not hold: ${problem}\n`);
}

interface FrozenReport {
  readonly pipeline: string;
  /** Absent of a pipeline that has none. */
  readonly lock?: string;
  /** `words@quick`; absent where the lock itself cannot be read. */
  readonly results?: string;
  readonly stages: number;
  readonly exitCode: 0 | 2 | 4;
  readonly diagnostics: readonly Diagnostic[];
  readonly texts: ReadonlyMap<string, string>;
  readonly behind: readonly string[];
  readonly unchecked: readonly UncheckedPart[];
  readonly notes: readonly string[];
}

function noLock(app: App, file: string, { profile }: PipelineOptions): UsageError {
  const words = [quoteWord(file), ...profile.map((name) => `--profile ${quoteWord(name)}`)].join(" ");
  const lock = showLockFile(app, file);
  const what = profile.length === 0 ? `there is no ${lock}` : `${lock} has nothing of ${profile.join(" and ")}`;
  return new UsageError(`${file} is not locked: ${what}`, `write it with: pipe lock ${words}, and commit it`);
}

/** One report for each choice of profiles that is locked; none where nothing is. */
async function checkFile(app: App, file: string, options: PipelineOptions): Promise<readonly FrozenReport[]> {
  const opened = await openLock(app, file);
  if (opened === undefined) return [];
  const lock = showLockFile(app, file);
  if (!("lock" in opened)) {
    const { diagnostics, text } = opened;
    const texts = new Map([[lock, text]]);
    return [{ pipeline: file, lock, stages: 0, exitCode: 2, diagnostics, texts, behind: [], unchecked: [], notes: [] }];
  }
  const chosen =
    options.profile.length === 0 ? opened.lock.results : [findResults(opened.lock, options.profile) ?? []].flat();
  const reports: FrozenReport[] = [];
  for (const locked of chosen) reports.push(await checkResults(app, file, opened, locked, options));
  return reports;
}

/** As `pipe check` does, but for inputs that are not here. */
async function checkUnlocked(app: App, file: string): Promise<FrozenReport> {
  const { loaded } = await load(app, file, [], {});
  const { diagnostics, texts, pipeline } = loaded;
  const stages = pipeline?.stages.length ?? 0;
  const exitCode = pipeline === undefined ? 2 : 0;
  return { pipeline: file, stages, exitCode, diagnostics, texts, behind: [], unchecked: [], notes: [] };
}

async function load(
  app: App,
  file: string,
  profile: readonly string[],
  { artifacts }: { readonly artifacts?: string },
) {
  const absolute = resolve(app.cwd, file);
  const text = app.files.stat(absolute)?.kind === "file" ? app.files.readText(absolute) : undefined;
  if (text === undefined) throw new UsageError(`there is no pipeline file ${file}`);
  const source = { file: relative(app.cwd, absolute) || file, folder: dirname(absolute), text };
  const artifactsFolder = artifacts === undefined ? findArtifactsFolder(app, absolute) : resolve(app.cwd, artifacts);
  // What is not here counts as it was locked; an input of which nothing is locked is told then.
  const exists = () => true;
  const { loaded, userStages } = await loadPipelineText(app, source, { profile, param: [] }, artifactsFolder, exists);
  if (loaded.pipeline === undefined) return { source, artifactsFolder, userStages, loaded };
  const unsupported = findUnsupported(app, loaded.pipeline);
  if (unsupported.length === 0) return { source, artifactsFolder, userStages, loaded };
  const refused = { diagnostics: [...loaded.diagnostics, ...unsupported], texts: loaded.texts, pipeline: undefined };
  return { source, artifactsFolder, userStages, loaded: refused };
}

async function checkResults(
  app: App,
  file: string,
  lock: OpenedLock,
  locked: LockedResults,
  options: PipelineOptions,
): Promise<FrozenReport> {
  const { profiles } = locked;
  const { source, artifactsFolder, userStages, loaded } = await load(app, file, profiles, options);
  const { pipeline } = loaded;
  const texts = new Map([...loaded.texts, [lock.file, lock.text]]);
  const results = resultsName(pipeline?.name ?? lock.lock.pipeline, profiles);
  const head = { pipeline: file, lock: lock.file, results, texts };
  const nothing = { stages: 0, behind: [], unchecked: [], notes: [] };
  if (pipeline === undefined) {
    const isLost = loaded.diagnostics.some(({ code }) => code === "language/unknown-profile");
    if (!isLost) return { ...head, ...nothing, exitCode: 2, diagnostics: loaded.diagnostics };
    const { diagnose } = await import("../diagnostics/diagnostic.ts");
    const placeOf = await placesIn(lock);
    const span = placeOf(["results", resultsName(lock.lock.pipeline, profiles)]);
    const diagnostics = [diagnose("lock/lost-profile", { profiles, pipeline: source.file }, span)];
    return { ...head, ...nothing, exitCode: 4, diagnostics };
  }
  const workspace = await app.openWorkspace(artifactsFolder, {
    paranoid: false,
    userStages,
    needsCode: needsCode(pipeline),
  });
  const { engines, notes } = findLockedEngines(app.engines, pipeline, locked);
  const graph = buildStageGraph(pipeline);
  const stages = graph.order;
  const checked = await checkLock(workspace, { pipeline, graph, stages, locked, engines, forgiving: true });
  workspace.memo.save();
  const run = `pipe run ${[quoteWord(source.file), ...profiles.map((name) => `--profile ${quoteWord(name)}`)].join(" ")}`;
  const diagnostics =
    checked.problems.length === 0
      ? []
      : diagnoseLock(
          checked.problems,
          pipeline,
          { file: lock.file, name: lock.lock.pipeline, placeOf: await placesIn(lock) },
          run,
        );
  return {
    ...head,
    stages: pipeline.stages.length,
    exitCode: diagnostics.length === 0 ? 0 : 4,
    diagnostics: [...loaded.diagnostics, ...diagnostics],
    behind: checked.behind,
    unchecked: checked.unchecked,
    notes: [...notes, ...machineNotes(workspace, pipeline, locked)],
  };
}

/** The lock is parsed as YAML only where a place in it must be shown. */
async function placesIn(lock: OpenedLock) {
  const { createLockPlaces } = await import("../identity/parse-lock.ts");
  return createLockPlaces(lock);
}

function machineNotes({ machine }: Workspace, { stages }: Pipeline, locked: LockedResults): readonly string[] {
  const here = `${machine.platform}-${machine.architecture}-${machine.instructions}`;
  const names = new Set(stages.map(({ name }) => name));
  const others = Object.entries(locked.stages).flatMap(([name, stage]) =>
    !names.has(name) || stage.machine === here || stage.machine.startsWith(`${here}-`) ? [] : [stage.machine],
  );
  if (others.length === 0) return [];
  return [`made on ${[...new Set(others)].sort().join(", ")}; here it is ${here}, where bits may differ`];
}

function printReport(app: App, report: FrozenReport): void {
  const { diagnostics, texts, pipeline, lock, results, stages, exitCode, behind, unchecked, notes } = report;
  if (diagnostics.length > 0) app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
  if (exitCode === 2) return;
  const count = `${stages} ${stages === 1 ? "stage" : "stages"}`;
  if (lock === undefined) app.out.write(`${pipeline} is right, and not locked: ${count}\n`);
  else if (exitCode === 0) app.out.write(`${lock} follows from the files here: ${results}, ${count}\n`);
  else app.out.write(`${lock} does not follow from the files here: ${results}\n`);
  if (behind.length > 0) app.out.write(`  may change then: ${shorten(behind)}\n`);
  for (const line of describeUnchecked(unchecked)) app.out.write(`  not checked: ${line}\n`);
  for (const note of notes) app.out.write(`  note: ${note}\n`);
}

const SHOWN = 8;

function shorten(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 0 ? `${names.slice(0, SHOWN).join(", ")} and ${more} more` : names.join(", ");
}

/** One line per path, tool and reason, with the stages that have it. */
function describeUnchecked(unchecked: readonly UncheckedPart[]): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const one of unchecked) {
    const line = describePart(one);
    const stages = lines.get(line) ?? [];
    stages.push(one.stage);
    lines.set(line, stages);
  }
  return [...lines].map(([line, stages]) => `${line} (${shorten(stages)})`);
}

function describePart(one: UncheckedPart): string {
  switch (one.part) {
    case "input":
      return `${one.path} is not here`;
    case "tool":
      return one.found ? `the program ${one.name} here is another one` : `there is no program ${one.name} here`;
    case "stage":
      return one.why === "frozen" ? "frozen, so its key may be any" : "runs each time, so it may make something else";
  }
}

/** What a program reads: one object for all pipelines. */
export interface FrozenJson {
  readonly follows: boolean;
  readonly attestation?: CheckedAttestation;
  readonly results: readonly {
    readonly pipeline: string;
    /** Absent of a pipeline that has none. */
    readonly lock?: string;
    /** `words@quick`. */
    readonly results?: string;
    readonly follows: boolean;
    readonly stages: number;
    readonly diagnostics: readonly PlacedDiagnostic[];
    /** Stages that may have another key once those with problems have run. */
    readonly behind: readonly string[];
    /** What was taken from the lock instead of being looked at. */
    readonly unchecked: readonly UncheckedPart[];
    readonly notes: readonly string[];
  }[];
}

function printJson(app: App, reports: readonly FrozenReport[], attestation: CheckedAttestation | undefined): void {
  const json: FrozenJson = {
    follows: reports.every(({ exitCode }) => exitCode === 0),
    ...(attestation === undefined ? {} : { attestation }),
    results: reports.map(({ exitCode, diagnostics, texts, ...report }) => ({
      ...report,
      follows: exitCode === 0,
      diagnostics: placeDiagnostics(diagnostics, texts),
    })),
  };
  app.out.write(`${JSON.stringify(json)}\n`);
}
