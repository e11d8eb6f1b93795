/** `pipe run`: open, resolve engines, plan, execute, record, report. */
import { join, relative } from "node:path";
import type { RunEvent } from "../events.ts";
import type { ResolvedEngine } from "../execute/engine-port.ts";
import { pipelineFolderName } from "../execute/last-run.ts";
import { createNondeterminismMarker } from "../execute/nondeterminism.ts";
import { type DetailedStage, planRun } from "../execute/plan.ts";
import type { Resources } from "../execute/token-pool.ts";
import type { Workspace } from "../execute/workspace.ts";
import { isRefusal } from "../platform/file-system.ts";
import type { RunRecord, StageRecord, SweepRecord } from "../record.ts";
import { expectedTime, renderPlan } from "../report/render-plan.ts";
import type { Reporter } from "../report/reporter.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { estimateStages } from "./estimate-stages.ts";
import { holdsLock, openRunLock, type RunLock, settleLock } from "./keep-lock.ts";
import { checkRunName, keepRecord } from "./keep-record.ts";
import { namesPipeline, needsCode, type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import { nameCauses } from "./open-plan.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { printPlan } from "./print-plan.ts";
import { quickHint } from "./quick-hint.ts";
import { resolveEngines } from "./resolve-engines.ts";
import { resourcesOf } from "./resources-of.ts";
import { type RangeOptions, rangeOf, refuseUndone } from "./select-range.ts";
import { findStages } from "./stage-names.ts";
import { loadReport } from "./write-report.ts";

export interface RunOptions extends PipelineOptions, RangeOptions {
  readonly jobs?: number;
  readonly force: readonly string[] | true;
  readonly keepGoing: boolean;
  readonly json: boolean;
  readonly paranoid: boolean;
  readonly logs: boolean;
  /** Show the plan, and run nothing. */
  readonly dryRun: boolean;
  /** What the run is called in the list of runs. */
  readonly name?: string;
  /** The lock must stay as it is. */
  readonly frozen: boolean;
  readonly sweeping?: Sweeping;
}

/** What makes a run a sweep, beside its pipeline. */
export interface Sweeping {
  record(stages: readonly StageRecord[]): SweepRecord;
  /** When the run has been told about. */
  print(record: RunRecord): void;
  /** Standard output is for what is printed. */
  readonly tellOnErr: boolean;
}

/** From here on the plan is shown before the run starts. */
const LONG_RUN_MS = 10 * 60_000;
const PLANS_PER_RUN = 20;

export async function runCommand(app: App, given: readonly string[], options: RunOptions): Promise<ExitCode> {
  const { words, force } = sortForcedWords(app, given, options.force);
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  app.interrupts.listen();
  return runPipeline(app, opened, { ...options, force });
}

/** Signals are listened to already. */
export async function runPipeline(app: App, given: OpenedPipeline, options: RunOptions): Promise<ExitCode> {
  const range = rangeOf(given, options);
  const opened: OpenedPipeline = { ...given, selected: range.stages };
  const { pipeline } = opened;
  const lock = options.dryRun && !options.frozen ? undefined : await openRunLock(app, opened, options);
  if (lock === "wrong") return 2;
  const engines = await resolveEngines(app, opened, { install: !options.dryRun });
  if (app.interrupts.stop.aborted) return 130;
  if (engines === undefined) return 2;
  const workspace = await app.openWorkspace(opened.artifactsFolder, {
    paranoid: options.paranoid,
    userStages: opened.userStages,
    needsCode: needsCode(pipeline),
  });
  opened.keep();
  if (options.frozen && !(await holdsLock(app, workspace, opened, lock as RunLock, engines))) return 4;
  const force = stagesToForce(opened, options.force);
  const startedAt = workspace.clock.date();
  const startMs = app.nowMs();
  const request = { ...opened, stages: range.stages, engines, force };
  const planned = await planRun(workspace, request);
  const planMs = app.nowMs() - startMs;
  let resources: Promise<Resources> | undefined;
  const askResources = () => {
    resources ??= resourcesOf(app, options.jobs);
    return resources;
  };
  const plan = await estimateStages(pipeline, engines, workspace, planned, askResources);
  refuseUndone(plan, range, options, opened);
  if (options.dryRun) {
    printPlan(app, pipeline, await nameCauses(workspace, opened, engines, plan), options.json);
    workspace.memo.save();
    return 0;
  }
  const refusal = plan.find((stage) => stage.refusal !== undefined)?.refusal;
  if (refusal !== undefined) throw new UsageError(refusal.message, refusal.help);
  if (options.name !== undefined) checkRunName(app, workspace, options.name);

  const runId = app.newRunId();
  const reporter = await openReporter(app, opened, options);
  app.interrupts.kill.addEventListener("abort", reporter.close, { once: true });
  const nothingToDo = plan.every(({ decision }) => decision === "fresh");
  const emit = nothingToDo ? reporter.onEvent : recordEvents(workspace, runId, reporter.onEvent);
  emit({
    type: "run-started",
    atMs: 0,
    runId,
    pipeline: pipeline.name,
    profiles: pipeline.profiles,
    params: pipeline.params,
    stages: plan.map(({ differences: _differences, trace: _trace, refusal: _refusal, ...planned }) => planned),
  });
  try {
    if (!nothingToDo) announceLongRun(app, opened, plan, options);
    const records = nothingToDo
      ? freshRecords(plan, opened)
      : await execute(app, workspace, opened, { runId, engines, force, plan, options, askResources, emit });
    const record: RunRecord = {
      format: "tfpipe/run/1",
      id: runId,
      ...(options.name === undefined ? {} : { name: options.name }),
      pipeline: pipeline.name,
      profiles: pipeline.profiles,
      params: pipeline.params,
      startedAt,
      durationMs: app.nowMs() - startMs,
      exitCode: exitCodeOf(records),
      stages: records,
      environment: { tfpipe: app.version, ...environmentOf(workspace) },
      ...(options.sweeping === undefined ? {} : { sweep: options.sweeping.record(records) }),
    };
    await keepRecord(app, workspace, opened, record, nothingToDo);
    emit({ type: "run-finished", atMs: app.nowMs() - startMs, record });
    options.sweeping?.print(record);
    // So that the next run need not look again. Where that takes a part of the time that the run took, it is left to it.
    const isWorthwhile = record.exitCode === 0 && record.durationMs > PLANS_PER_RUN * planMs;
    if (!nothingToDo && isWorthwhile) await planRun(workspace, { ...request, force: new Set() });
    if (lock === undefined || record.exitCode !== 0) return record.exitCode as ExitCode;
    return await settleLock(app, workspace, opened, lock, records, options.frozen);
  } finally {
    reporter.close();
    workspace.memo.save();
  }
}

interface Execution {
  readonly runId: string;
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly force: ReadonlySet<string>;
  readonly plan: readonly DetailedStage[];
  readonly options: RunOptions;
  readonly askResources: () => Promise<Resources>;
  readonly emit: (event: RunEvent) => void;
}

async function execute(
  app: App,
  workspace: Workspace,
  opened: OpenedPipeline,
  execution: Execution,
): Promise<readonly StageRecord[]> {
  const { executeRun } = await import("../execute/executor.ts");
  const startMs = app.nowMs();
  const onInterrupt = () => execution.emit({ type: "run-interrupted", atMs: app.nowMs() - startMs });
  app.interrupts.stop.addEventListener("abort", onInterrupt, { once: true });
  const mark = markRecords(workspace, opened);
  const executing = executeRun(workspace, {
    pipeline: opened.pipeline,
    graph: opened.graph,
    plan: execution.plan,
    engines: execution.engines,
    force: execution.force,
    capacity: await execution.askResources(),
    keepGoing: execution.options.keepGoing,
    runId: execution.runId,
    worker: app.worker,
    environment: app.environment,
    signal: app.interrupts.stop,
    killSignal: app.interrupts.kill,
    emit(event) {
      if (event.type !== "stage-finished") return execution.emit(event);
      const record = mark(event.record);
      execution.emit(record === event.record ? event : { ...event, record });
    },
  });
  // Needed at the end, and stages leave this process time until then.
  loadReport();
  return (await executing).map(mark);
}

/** Adds to a record that its result is nondeterministic, or built upon one that is: the ledger as it is by then. */
function markRecords({ ledger }: Workspace, { pipeline }: OpenedPipeline): (record: StageRecord) => StageRecord {
  const markOf = createNondeterminismMarker(ledger, pipeline);
  const marks = new Map<string, ReturnType<typeof markOf>>();
  return (record) => {
    const { stage, outputs, fingerprint } = record;
    const hasResult = Object.keys(outputs).length > 0;
    if (hasResult && !marks.has(stage)) marks.set(stage, markOf(stage, fingerprint));
    const nondeterminism = marks.get(stage);
    return nondeterminism === undefined ? record : { ...record, nondeterminism };
  };
}

async function openReporter(app: App, opened: OpenedPipeline, options: RunOptions): Promise<Reporter> {
  const visible = relative(app.cwd, join(opened.artifactsFolder, pipelineFolderName(opened.pipeline)));
  const output = options.sweeping?.tellOnErr ? app.err : app.out;
  const settings = {
    output,
    resultsFolder: visible,
    reportFile: join(visible, "report.html"),
    commandSuffix: opened.commandSuffix,
  };
  if (options.json) {
    const { createJsonReporter } = await import("../report/json-reporter.ts");
    return createJsonReporter({ output: app.out });
  }
  if (output.isTerminal) {
    const { createTerminalReporter } = await import("../report/terminal-reporter.ts");
    return createTerminalReporter({
      ...settings,
      schedule: app.schedule,
      now: app.nowMs,
      logs: options.logs ? "all" : "last",
    });
  }
  const { createPlainReporter } = await import("../report/plain-reporter.ts");
  return createPlainReporter(settings);
}

/** Everything but progress is kept beside the run's record. */
function recordEvents(
  workspace: Workspace,
  runId: string,
  report: (event: RunEvent) => void,
): (event: RunEvent) => void {
  const { files, layout } = workspace;
  const folder = layout.run(runId);
  let lost = false;
  try {
    files.makeFolder(folder);
  } catch (error) {
    // The run itself says that the store cannot be written.
    if (!isRefusal(error)) throw error;
    lost = true;
  }
  let waiting = "";
  const write = (atMs: number): void => {
    const lines = waiting;
    waiting = "";
    try {
      files.append(join(folder, "events.ndjson"), lines);
    } catch (error) {
      // A log that cannot be written must not end the run.
      lost = true;
      report({ type: "warned", atMs, message: `the run's events cannot be kept: ${String(error)}` });
    }
  };
  return (event) => {
    report(event);
    if (event.type === "stage-progressed" || lost) return;
    // What happens in one breath, as that thousands of stages are fresh, is written in one.
    if (waiting === "") queueMicrotask(() => write(event.atMs));
    waiting += `${JSON.stringify(withoutStages(event))}\n`;
  };
}

/** They were told one by one, and the run's record lists them again. */
function withoutStages(event: RunEvent): RunEvent {
  return event.type === "run-finished" ? { ...event, record: { ...event.record, stages: [] } } : event;
}

function announceLongRun(app: App, opened: OpenedPipeline, plan: readonly DetailedStage[], options: RunOptions): void {
  if (options.json || expectedTime(plan).knownMs < LONG_RUN_MS) return;
  const hint = quickHint(opened.pipeline);
  app.err.write(`${renderPlan(plan, { color: app.err.color, columns: app.err.columns(), ...hint })}\n`);
}

/** In `pipe run --force x.yaml` the file is the pipeline, not a stage to force: then everything is forced. */
function sortForcedWords(app: App, words: readonly string[], force: RunOptions["force"]) {
  if (force === true) return { words, force };
  const pipelines = force.filter((word) => namesPipeline(app, word));
  const stages = force.filter((word) => !pipelines.includes(word));
  return {
    words: [...words, ...pipelines],
    force: stages.length === 0 && pipelines.length > 0 ? (true as const) : stages,
  };
}

function stagesToForce({ pipeline, selected }: OpenedPipeline, words: RunOptions["force"]): ReadonlySet<string> {
  if (words === true) return new Set(selected);
  const names = words.flatMap((word) => findStages(pipeline, word));
  for (const name of names)
    if (!selected.includes(name))
      throw new UsageError(
        `--force ${name}: that stage is not part of this run`,
        `its stages are ${selected.join(", ")}`,
      );
  return new Set(names);
}

function freshRecords(plan: readonly DetailedStage[], { pipeline }: OpenedPipeline): readonly StageRecord[] {
  const params = new Map(pipeline.stages.map((stage) => [stage.name, stage.params]));
  return plan.map(({ trace, ...planned }) => ({
    stage: planned.stage,
    stageType: planned.stageType,
    needs: planned.needs,
    outcome: "fresh",
    reason: planned.reason,
    ...(planned.fingerprint === undefined ? {} : { fingerprint: planned.fingerprint }),
    durationMs: trace?.durationMs ?? 0,
    params: params.get(planned.stage) ?? {},
    outputs: trace?.outputs ?? {},
    metrics: trace?.metrics ?? {},
    measurements: trace?.measurements ?? {},
    warnings: trace?.warnings ?? [],
    ...(trace?.engine === undefined ? {} : { engine: trace.engine }),
    ...(planned.nondeterminism === undefined ? {} : { nondeterminism: planned.nondeterminism }),
  }));
}

function exitCodeOf(records: readonly StageRecord[]): ExitCode {
  if (records.some(({ outcome }) => outcome === "failed")) return 1;
  return records.some(
    ({ outcome, reason }) =>
      outcome === "interrupted" || (outcome === "skipped" && reason === "the run was interrupted"),
  )
    ? 130
    : 0;
}

function environmentOf({ machine }: Workspace) {
  const { platform, architecture, cpu, cores, memoryBytes, node } = machine;
  return { platform, architecture, cpu, cores, memoryBytes, node };
}
