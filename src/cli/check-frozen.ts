/**
 * `pipe check --frozen`: whether what is locked still follows from the files that are here. Made for CI: without data,
 * without an engine and without anything that was made, in a fraction of a second.
 */
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { type PlacedDiagnostic, placeDiagnostics } from "../diagnostics/place-diagnostic.ts";
import { renderDiagnostics } from "../diagnostics/render-diagnostic.ts";
import type { UncheckedPart } from "../execute/check-lock.ts";
import { findResults, type LockedResults } from "../identity/lock.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import type { CheckedAttestation } from "./attest.ts";
import { type CheckedPipeline, checkResults, describeUnchecked, shortenNames } from "./check-results.ts";
import { loadWithoutData } from "./load-without-data.ts";
import { openLock, showLockFile } from "./lock-file.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";
import type { RandomSample } from "./random-sample.ts";
import type { RebuiltSample } from "./rebuild-sample.ts";

export interface FrozenOptions extends PipelineOptions {
  readonly json: boolean;
  readonly attestation?: string;
  /** Which share of what is attested is to be made again. */
  readonly rebuild?: RandomSample;
}

/** `files`: pipelines that were named, or all there are: then those without a lock are only mentioned. */
export async function checkFrozen(
  app: App,
  files: readonly string[],
  options: FrozenOptions,
  areNamed: boolean,
): Promise<ExitCode> {
  if (options.param.length > 0)
    throw new UsageError("--frozen and --param do not go together", "a lock is of the pipeline as its file has it");
  const reports: FrozenReport[] = [];
  for (const file of files) {
    const found = await checkFile(app, file, options);
    if (found.length === 0 && areNamed) throw noLock(app, file, options);
    reports.push(...(found.length > 0 ? found : [await checkUnlocked(app, file, options)]));
  }
  if (reports.every(({ lock }) => lock === undefined))
    throw new UsageError("no pipeline here has a lock", "write one with: pipe lock <pipeline>, and commit it");
  const attestation =
    options.attestation === undefined ? undefined : await readAttestation(app, files, options.attestation);
  if (!options.json) {
    for (const report of reports) printReport(app, report);
    if (attestation !== undefined) printAttestation(app, attestation);
  }
  const holds = reports.every(({ exitCode }) => exitCode === 0) && attestation?.problem === undefined;
  const rebuilt = await rebuild(app, reports, options, holds);
  if (options.json) printJson(app, reports, attestation, rebuilt);
  const codes: readonly number[] = [
    ...reports.map(({ exitCode }) => exitCode),
    ...(attestation?.problem === undefined ? [] : [4]),
    ...(rebuilt === undefined ? [] : [rebuilt.exitCode]),
  ];
  return codes.includes(130) ? 130 : codes.includes(2) ? 2 : codes.includes(4) ? 4 : codes.includes(1) ? 1 : 0;
}

/** Only of a chain that holds: else it is not known what should come out. */
async function rebuild(
  app: App,
  reports: readonly FrozenReport[],
  { rebuild: wanted, json }: FrozenOptions,
  holds: boolean,
): Promise<RebuiltSample | undefined> {
  if (wanted === undefined) return undefined;
  if (!holds) {
    app.err.write("nothing was rebuilt: what does not hold says nothing about what should come out\n");
    return undefined;
  }
  const { rebuildSample } = await import("./rebuild-sample.ts");
  const parts = reports.flatMap(({ checked, results, locked }) =>
    checked === undefined || results === undefined || locked === undefined ? [] : [{ results, locked, ...checked }],
  );
  return rebuildSample(app, parts, wanted, { quiet: json });
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
  readonly locked?: LockedResults;
  readonly exitCode: 0 | 2 | 4;
  readonly diagnostics: readonly Diagnostic[];
  readonly texts: ReadonlyMap<string, string>;
  /** Stages of a pipeline that has no lock. */
  readonly stages?: number;
  readonly checked?: CheckedPipeline;
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
    return [{ pipeline: file, lock, exitCode: 2, diagnostics, texts: new Map([[lock, text]]) }];
  }
  const chosen =
    options.profile.length === 0 ? opened.lock.results : [findResults(opened.lock, options.profile) ?? []].flat();
  const reports: FrozenReport[] = [];
  for (const locked of chosen)
    reports.push({ pipeline: file, lock: opened.file, ...(await checkResults(app, file, opened, locked, options)) });
  return reports;
}

/** As `pipe check` does, but for inputs that are not here. */
async function checkUnlocked(app: App, file: string, { artifacts }: PipelineOptions): Promise<FrozenReport> {
  const options = { profile: [], param: [], ...(artifacts === undefined ? {} : { artifacts }) };
  const { loaded } = await loadWithoutData(app, file, options);
  const { diagnostics, texts, pipeline } = loaded;
  const stages = pipeline?.stages.length ?? 0;
  return { pipeline: file, stages, exitCode: pipeline === undefined ? 2 : 0, diagnostics, texts };
}

function printReport(app: App, report: FrozenReport): void {
  const { diagnostics, texts, pipeline, lock, results, exitCode, checked } = report;
  if (diagnostics.length > 0) app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
  if (exitCode === 2) return;
  const stages = stageCount(report);
  const count = `${stages} ${stages === 1 ? "stage" : "stages"}`;
  if (lock === undefined) app.out.write(`${pipeline} is right, and not locked: ${count}\n`);
  else if (exitCode === 0) app.out.write(`${lock} follows from the files here: ${results}, ${count}\n`);
  else app.out.write(`${lock} does not follow from the files here: ${results}\n`);
  const { behind = [], unchecked = [], notes = [] } = checked ?? {};
  if (behind.length > 0) app.out.write(`  may change then: ${shortenNames(behind)}\n`);
  for (const line of describeUnchecked(unchecked)) app.out.write(`  not checked: ${line}\n`);
  for (const note of notes) app.out.write(`  note: ${note}\n`);
}

const stageCount = ({ checked, stages = 0 }: FrozenReport): number => checked?.pipeline.stages.length ?? stages;

/** What a program reads: one object for all pipelines. */
export interface FrozenJson {
  readonly follows: boolean;
  readonly attestation?: CheckedAttestation;
  readonly rebuilt?: RebuiltSample;
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

function printJson(
  app: App,
  reports: readonly FrozenReport[],
  attestation: CheckedAttestation | undefined,
  rebuilt: RebuiltSample | undefined,
): void {
  const json: FrozenJson = {
    follows: reports.every(({ exitCode }) => exitCode === 0),
    ...(attestation === undefined ? {} : { attestation }),
    ...(rebuilt === undefined ? {} : { rebuilt }),
    results: reports.map((report) => {
      const { pipeline, lock, results, exitCode, diagnostics, texts, checked } = report;
      return {
        pipeline,
        ...(lock === undefined ? {} : { lock }),
        ...(results === undefined ? {} : { results }),
        stages: stageCount(report),
        behind: checked?.behind ?? [],
        unchecked: checked?.unchecked ?? [],
        notes: checked?.notes ?? [],
        follows: exitCode === 0,
        diagnostics: placeDiagnostics(diagnostics, texts),
      };
    }),
  };
  app.out.write(`${JSON.stringify(json)}\n`);
}
