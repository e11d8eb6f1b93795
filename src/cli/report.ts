/**
 * `pipe report`: the HTML report of a run once more; with `--md` what changed, why and in which metrics and charts, as
 * Markdown for a pull request. Beside each other stand a run, or where none is kept here what is locked, and what it is
 * compared with: the lock, a run, a lock file, or the locks of another checkout.
 */
import { basename, join, relative, resolve } from "node:path";
import type { ResultsChange, ResultsName, StageState } from "../cache/results-change.ts";
import { createRunStore, findRun, type RunStore, wholeRecord } from "../cache/run-store.ts";
import { placeDiagnostics } from "../diagnostics/place-diagnostic.ts";
import type { LockProblem } from "../execute/check-lock.ts";
import {
  compareCharts,
  compareResults,
  machineNotes,
  type ResultsSide,
  sideOfLock,
  sideOfRun,
} from "../execute/compare-results.ts";
import { pipelineFolderName, readLastRun } from "../execute/last-run.ts";
import { describe } from "../execute/lock-diagnostics.ts";
import type { Workspace } from "../execute/workspace.ts";
import { buildStageGraph, type StageGraph } from "../graph/stage-graph.ts";
import { findResults, type LockedResults } from "../identity/lock.ts";
import { readLock } from "../identity/lock-text.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { RunRecord } from "../record.ts";
import { renderMarkdown } from "../report/render-markdown.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { checkResults, describeUnchecked } from "./check-results.ts";
import { loadWithoutData } from "./load-without-data.ts";
import { lockPath, type OpenedLock, openLockOrTell, showLockFile } from "./lock-file.ts";
import { findArtifactsFolder, findPipelineFile, pipelineFiles } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { writeReport } from "./write-report.ts";

export interface ReportOptions extends PipelineOptions {
  readonly markdown: boolean;
  /** The run to report; left out: the last one, or where there is none what is locked. */
  readonly run?: string;
  /** A run, a lock file, or a folder with the same pipelines; left out: the lock beside the pipeline. */
  readonly against?: string;
  /** A folder for the report and its pictures; left out: Markdown is printed, without pictures. */
  readonly out?: string;
  /** What links to pictures begin with, once they have been put there. */
  readonly pictures?: string;
}

/** `words`: pipelines; none: every one in `pipelines/` of which something is known. */
export async function reportCommand(app: App, words: readonly string[], options: ReportOptions): Promise<ExitCode> {
  const files = [...new Set(words.length === 0 ? pipelineFiles(app) : words.map((word) => named(app, word)))];
  if (files.length === 0)
    throw new UsageError("there is no pipeline here", "name a pipeline file, or start one with: pipe init");
  if (!options.markdown) return writeHtml(app, files, options);
  if (options.pictures !== undefined && options.out === undefined)
    throw new UsageError("--pictures says where pictures will be, and none are written", "name a folder: --out report");
  const reported: Reported[] = [];
  for (const file of files) {
    const found = await reportFile(app, file, options);
    if (found === "wrong") return 2;
    if (found.length === 0 && words.length > 0) throw nothingKnown(app, file, options);
    reported.push(...found);
  }
  if (reported.length === 0)
    throw new UsageError("nothing is known of any pipeline here: no run is kept, and there is no lock");
  const text = renderMarkdown(
    reported.map(({ change }) => change),
    options.out === undefined ? undefined : (options.pictures ?? ""),
  );
  if (options.out === undefined) app.out.write(text);
  else writeMarkdown(app, options.out, text, reported);
  return 0;
}

function named(app: App, word: string): string {
  const { file, rest } = findPipelineFile(app, [word]);
  if (rest.length > 0)
    throw new UsageError(`there is no pipeline "${word}"`, `there are: ${pipelineFiles(app).join(", ")}`);
  return file;
}

function nothingKnown(app: App, file: string, { profile }: PipelineOptions): UsageError {
  const what = profile.length === 0 ? "" : ` in ${profile.join(" and ")}`;
  return new UsageError(
    `nothing is known of ${file}${what}: no run of it is kept here, and ${showLockFile(app, file)} has nothing of it`,
    "run it first, or commit its lock",
  );
}

interface Reported {
  readonly change: ResultsChange;
  readonly workspace: Workspace;
}

/** One for each choice of profiles of which something is known. */
async function reportFile(app: App, file: string, options: ReportOptions): Promise<readonly Reported[] | "wrong"> {
  const lock = await openLockOrTell(app, file);
  if (lock === "wrong") return "wrong";
  const reported: Reported[] = [];
  for (const profile of await choicesOf(app, file, lock, options)) {
    const one = await reportResults(app, file, lock, { ...options, profile });
    if (one === "wrong") return "wrong";
    if (one !== undefined) reported.push(one);
  }
  return reported;
}

/** What was asked for; else all that is locked, and the pipeline without profiles where it has run. */
async function choicesOf(
  app: App,
  file: string,
  lock: OpenedLock | undefined,
  { profile, run, artifacts }: ReportOptions,
): Promise<readonly (readonly string[])[]> {
  if (profile.length > 0 || run !== undefined || lock === undefined) return [profile];
  const locked = lock.lock.results.map(({ profiles }) => profiles);
  if (locked.some(({ length }) => length === 0)) return locked;
  const folder = artifactsFolderOf(app, file, artifacts);
  if (app.files.stat(join(folder, ".store")) === undefined) return locked;
  const workspace = await app.openWorkspace(folder, { paranoid: false, needsCode: false });
  const last = readLastRun(workspace, { name: lock.lock.pipeline, profiles: [] });
  return last === undefined ? locked : [[], ...locked];
}

function artifactsFolderOf(app: App, file: string, artifacts: string | undefined): string {
  return artifacts === undefined ? findArtifactsFolder(app, resolve(app.cwd, file)) : resolve(app.cwd, artifacts);
}

async function reportResults(
  app: App,
  file: string,
  lock: OpenedLock | undefined,
  options: ReportOptions,
): Promise<Reported | "wrong" | undefined> {
  const opened = await openRunToReport(app, file, options);
  if (opened === "wrong") return "wrong";
  if (opened !== undefined) {
    const { pipeline, workspace, graph, runs, record } = opened;
    const earlier = options.run === undefined ? (readLastRun(workspace, pipeline)?.stages ?? {}) : {};
    const after = sideOfRun(workspace.traces, options.run, record, pipeline, earlier);
    const before = findBefore(app, file, opened, lock, options);
    const notes = options.against === undefined && before === undefined ? [notLocked(app, file)] : [];
    return { workspace, change: changeOf(app, { pipeline, graph, workspace, runs }, before, after, { notes }) };
  }
  const locked = findResults(lock?.lock, options.profile);
  if (lock === undefined || locked === undefined) return undefined;
  if (options.param.length > 0)
    throw new UsageError("what is locked has no --param", "a lock is of the pipeline as its file has it");
  return reportLocked(app, file, lock, locked, options);
}

/** Without a run: what is locked, and whether it follows from the files here. */
async function reportLocked(
  app: App,
  file: string,
  lock: OpenedLock,
  locked: LockedResults,
  options: ReportOptions,
): Promise<Reported | "wrong"> {
  const { checked, diagnostics, texts, exitCode } = await checkResults(app, file, lock, locked, options);
  if (checked === undefined) {
    const { renderDiagnostics } = await import("../diagnostics/render-diagnostic.ts");
    app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
    return "wrong";
  }
  const { pipeline, graph, workspace, problems, behind, unchecked, notes } = checked;
  const outdated = new Set(problems.map(({ stage }) => stage));
  const waiting = new Set(behind);
  const stateOf = (stage: string): StageState =>
    outdated.has(stage) ? "outdated" : waiting.has(stage) ? "behind" : "follows";
  const opened = { pipeline, graph, workspace, runs: createRunStore(workspace) };
  const after = sideOfLock(workspace.traces, { what: "lock", file: lock.file }, locked, stateOf);
  const before = options.against === undefined ? undefined : findBefore(app, file, opened, undefined, options);
  const placed = exitCode === 0 ? [] : placeDiagnostics(diagnostics, texts);
  const change = changeOf(app, opened, before, after, {
    outdated: placed
      .filter(({ severity }) => severity === "error")
      .map(({ file: place, line, message }) => ({ file: place, line, text: message })),
    unchecked: describeUnchecked(unchecked),
    notes,
  });
  const causes = outdatedReasons(problems, pipeline);
  const stages = change.stages.map((one) => ({ ...one, reasons: [...one.reasons, ...(causes.get(one.stage) ?? [])] }));
  return { workspace, change: { ...change, stages } };
}

function outdatedReasons(
  problems: readonly LockProblem[],
  { stages }: Pipeline,
): ReadonlyMap<string, readonly string[]> {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const reasonsOf = (problem: LockProblem): readonly string[] => {
    const stage = byName.get(problem.stage);
    if (problem.problem === "unreadable") return [problem.reason];
    if (problem.problem === "unlocked") return ["it is not locked"];
    if (problem.problem === "lost" || stage === undefined) return ["the pipeline has it no more"];
    if (problem.problem === "edited") return ["the lock was edited"];
    return problem.differences.map((difference) => describe(difference, stage));
  };
  return new Map(problems.map((problem) => [problem.stage, reasonsOf(problem)]));
}

interface OpenedResults {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  readonly workspace: Workspace;
  readonly runs: RunStore;
}

/** Undefined where none is kept, and none was asked for. */
async function openRunToReport(
  app: App,
  file: string,
  options: ReportOptions,
): Promise<(OpenedResults & { readonly record: RunRecord }) | "wrong" | undefined> {
  const { source, artifactsFolder, userStages, loaded } = await loadWithoutData(app, file, options);
  const { pipeline, diagnostics, texts } = loaded;
  if (pipeline === undefined) {
    const { renderDiagnostics } = await import("../diagnostics/render-diagnostic.ts");
    app.err.write(renderDiagnostics(diagnostics, texts, { color: app.err.color }));
    return "wrong";
  }
  const none = options.run === undefined && app.files.stat(join(artifactsFolder, ".store")) === undefined;
  if (none) return undefined;
  const workspace = await app.openWorkspace(artifactsFolder, { paranoid: false, userStages, needsCode: false });
  const runs = createRunStore(workspace);
  const record =
    options.run === undefined
      ? lastRecord(runs, workspace, pipeline)
      : needRun(runs, options.run, pipeline, `the run of ${source.file} to report`);
  if (record === undefined) return undefined;
  return { pipeline, graph: buildStageGraph(pipeline), workspace, runs, record };
}

function lastRecord(runs: RunStore, workspace: Workspace, pipeline: Pipeline): RunRecord | undefined {
  const id = readLastRun(workspace, pipeline)?.runId;
  const record = id === undefined ? undefined : runs.read(id);
  return record === undefined ? undefined : wholeRecord(runs, record);
}

function needRun(runs: RunStore, word: string, { name, profiles }: Pipeline, what: string): RunRecord {
  const found = findRun(runs, word, { pipeline: name, profiles });
  if ("problem" in found) throw new UsageError(found.problem, found.help);
  const whole = wholeRecord(runs, found.record);
  if (whole !== undefined) return whole;
  const { id, sameAs } = found.record;
  throw new UsageError(`${what}, ${id}, found everything done by the run ${sameAs}, whose record was removed`);
}

/** What it is compared with. Undefined where there is no lock and nothing else was named, or the other checkout has none. */
function findBefore(
  app: App,
  file: string,
  { pipeline, workspace, runs }: OpenedResults,
  lock: OpenedLock | undefined,
  { against }: ReportOptions,
): ResultsSide | undefined {
  const ofLock = (name: ResultsName, results: LockedResults | undefined): ResultsSide =>
    results === undefined ? { name, stages: new Map() } : sideOfLock(workspace.traces, name, results, () => "follows");
  if (against === undefined) {
    const locked = findResults(lock?.lock, pipeline.profiles);
    return locked === undefined ? undefined : ofLock({ what: "lock", file: lock!.file }, locked);
  }
  const path = resolve(app.cwd, against);
  const kind = app.files.stat(app.files.resolveLink(path))?.kind;
  if (kind === "folder") {
    const other = join(path, relative(app.cwd, lockPath(app, file)));
    const there: ResultsName = { what: "lock", file: showLockFile(app, file), isElsewhere: true };
    // A pipeline that is new has none there.
    if (app.files.stat(other) === undefined) return { name: there, stages: new Map() };
    const shown = join(against, showLockFile(app, file));
    return ofLock(there, findResults(openOther(app, other, shown), pipeline.profiles));
  }
  if (kind === "file" || /\.ya?ml$/.test(against)) {
    const locked = findResults(openOther(app, path, against), pipeline.profiles);
    if (locked === undefined)
      throw new UsageError(`${against} has nothing of ${pipelineFolderName(pipeline)}`, "is it this pipeline's lock?");
    return ofLock({ what: "lock", file: against }, locked);
  }
  const record = needRun(runs, against, pipeline, "the run to compare with");
  return sideOfRun(workspace.traces, against, record, pipeline);
}

/** Another's lock is only read where it stands as it was written: what is wrong with it is for the check there to tell. */
function openOther(app: App, path: string, shown: string) {
  const text = app.files.stat(path) === undefined ? undefined : app.files.readText(path);
  if (text === undefined) throw new UsageError(`there is no lock ${shown} to compare with`);
  const lock = readLock(text);
  if (lock !== undefined) return lock;
  throw new UsageError(
    `${shown} is no lock as \`pipe lock\` writes it`,
    "run `pipe check --frozen` where it comes from",
  );
}

const notLocked = (app: App, file: string): string =>
  `there is no lock to compare with (${basename(showLockFile(app, file))}); --against names something else`;

function changeOf(
  app: App,
  { pipeline, graph, workspace }: OpenedResults,
  before: ResultsSide | undefined,
  after: ResultsSide,
  more: Partial<Pick<ResultsChange, "outdated" | "unchecked" | "notes">>,
): ResultsChange {
  const { stages, causes, metrics } = compareResults(pipeline, graph.order, before, after);
  const here = (text: string) => text.replaceAll(`${app.cwd}/`, "");
  return {
    pipeline: pipeline.name,
    profiles: pipeline.profiles,
    after: after.name,
    ...(before === undefined ? {} : { before: before.name }),
    stages: stages.map((stage) => ({ ...stage, reasons: stage.reasons.map(here) })),
    causes,
    metrics,
    charts: compareCharts(workspace.artifacts, graph.order, before, after),
    outdated: more.outdated ?? [],
    unchecked: more.unchecked ?? [],
    notes: [...(more.notes ?? []), ...machineNotes(before, after)],
  };
}

const REPORT_FILE = "report.md";

function writeMarkdown(app: App, folder: string, text: string, reported: readonly Reported[]): void {
  const target = resolve(app.cwd, folder);
  app.files.makeFolder(target);
  const written = new Set<string>();
  for (const { change, workspace } of reported)
    for (const { before, after } of change.charts)
      for (const picture of [before, after]) {
        if (picture === undefined || written.has(picture.file)) continue;
        const bytes = workspace.artifacts.read(picture.artifact, picture.path);
        if (bytes === undefined) {
          app.err.write(`note: the store has ${picture.path} of ${change.pipeline} no more as it was made\n`);
          continue;
        }
        replace(app, join(target, picture.file), bytes);
        written.add(picture.file);
      }
  replace(app, join(target, REPORT_FILE), text);
  const pictures = written.size === 0 ? "" : `, and ${written.size} ${written.size === 1 ? "picture" : "pictures"}`;
  app.out.write(`${relative(app.cwd, join(target, REPORT_FILE))} was written${pictures}\n`);
}

function replace(app: App, path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${app.unique()}.tmp`;
  app.files.writeNew(temporary, content);
  app.files.rename(temporary, path);
}

/** Of one pipeline: a page is of one run. */
async function writeHtml(app: App, files: readonly string[], options: ReportOptions): Promise<ExitCode> {
  if (options.against !== undefined || options.pictures !== undefined)
    throw new UsageError("the page is of one run alone", "what changed is told by: pipe report --md");
  const [file, ...more] = files;
  if (file === undefined || more.length > 0)
    throw new UsageError("a report is of one pipeline", `name it: ${files.join(" or ")}`);
  const opened = await openRunToReport(app, file, options);
  if (opened === "wrong") return 2;
  if (opened === undefined) throw new UsageError(`no run of ${file} is kept here`, `run it first: pipe run ${file}`);
  const { workspace, pipeline, record } = opened;
  const folder =
    options.out === undefined
      ? join(
          workspace.artifactsFolder,
          pipelineFolderName({ ...pipeline, ...(record.sweep && { sweep: record.sweep }) }),
        )
      : resolve(app.cwd, options.out);
  await writeReport(app, workspace, folder, record);
  app.out.write(`${relative(app.cwd, join(folder, "report.html"))}\n`);
  return 0;
}
