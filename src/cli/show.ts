/**
 * `pipe show <stage>`: what a stage has produced, last or in a given run; with `--path` where its bytes are in the store.
 * `pipe show --run <run>`: that run as a whole.
 */
import { join, relative } from "node:path";
import type { ArtifactStore } from "../cache/artifact-store.ts";
import { createRunStore, findRun, type RunStore, wholeRecord } from "../cache/run-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import { pipelineFolderName, readLastRun } from "../execute/last-run.ts";
import { createNondeterminismMarker } from "../execute/nondeterminism.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { JsonObject } from "../json.ts";
import type { RunRecord, StageRecord } from "../record.ts";
import { renderRun } from "../report/render-run.ts";
import { type CheckpointCost, renderShow, type ShownFile } from "../report/render-show.ts";
import { runTitle } from "../report/run-title.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface ShowOptions extends PipelineOptions {
  /** Print store paths: of all files, or of `output/file`. */
  readonly path: string | boolean;
  readonly json: boolean;
  /** What was produced in this run. */
  readonly run?: string;
}

type Files = Readonly<Record<string, readonly ShownFile[]>>;

const CARD_FILE = "card.json";

export async function showCommand(app: App, words: readonly string[], options: ShowOptions): Promise<ExitCode> {
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const { pipeline, stageNames } = opened;
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const runs = createRunStore(workspace);
  const run = options.run === undefined ? undefined : wantedRun(runs, opened, options.run);
  const style = { color: app.out.color, columns: app.out.columns() };
  if (run !== undefined && stageNames.length === 0) {
    app.out.write(options.json ? `${JSON.stringify(run)}\n` : `${renderRun(run, style)}\n`);
    return 0;
  }
  if (stageNames.length !== 1)
    throw new UsageError(
      run === undefined ? "show takes one stage" : "show takes one stage of a run, or none",
      `its stages are ${pipeline.stages.map(({ name }) => name).join(", ")}`,
    );
  const [name] = stageNames as [string];
  const record = run === undefined ? lastRecord(workspace, runs, opened, name) : recordIn(workspace, run, name);
  const files = filesOf(workspace.artifacts, record);
  if (options.path !== false) {
    printPaths(app, workspace, name, files, options.path === true ? undefined : options.path);
    return 0;
  }
  const checkpoints = checkpointsOf(workspace, record);
  if (options.json) {
    app.out.write(`${JSON.stringify({ ...record, files, ...(checkpoints === undefined ? {} : { checkpoints }) })}\n`);
    return 0;
  }
  const folder = relative(app.cwd, join(opened.artifactsFolder, pipelineFolderName(pipeline), name));
  const gone = Object.entries(record.outputs)
    .filter(([output]) => files[output] === undefined)
    .map(([output]) => output);
  const shown = { record, files, gone, ...(run === undefined ? { folder } : {}) };
  app.out.write(`${renderShow({ ...shown, ...(checkpoints === undefined ? {} : { checkpoints }) }, style)}\n`);
  return 0;
}

function wantedRun(runs: RunStore, { pipeline }: OpenedPipeline, word: string): RunRecord {
  const { name, profiles } = pipeline;
  const found = findRun(runs, word, { pipeline: name, ...(profiles.length === 0 ? {} : { profiles }) });
  if ("problem" in found) throw new UsageError(found.problem, found.help);
  const whole = wholeRecord(runs, found.record);
  if (whole === undefined)
    throw new UsageError(
      `the run ${found.record.id} found everything done by the run ${found.record.sameAs}, whose record was removed`,
    );
  return whole;
}

/** What the stage has now: its last success. */
function lastRecord(workspace: Workspace, runs: RunStore, opened: OpenedPipeline, name: string): StageRecord {
  const { pipeline, graph, commandSuffix } = opened;
  const fingerprint = readLastRun(workspace, pipeline)?.stages[name];
  const trace = fingerprint === undefined ? undefined : workspace.traces.find(fingerprint)[0];
  if (trace === undefined)
    throw new UsageError(
      fingerprint === undefined
        ? `stage ${name} has not run yet`
        : `the trace of stage ${name} was removed from the store`,
      `run it with: pipe run${commandSuffix} ${name}`,
    );
  const made = runs.read(trace.runId);
  return {
    stage: name,
    stageType: pipeline.stages.find((stage) => stage.name === name)!.type,
    needs: graph.needs.get(name)!,
    outcome: "ran",
    reason: `made by the run ${made === undefined ? trace.runId : runTitle(made)}`,
    ...factsOf(workspace, trace),
    ...markOf(workspace, opened, name),
  };
}

function markOf(workspace: Workspace, { pipeline, graph }: OpenedPipeline, name: string) {
  const last = readLastRun(workspace, pipeline)?.stages ?? {};
  const mark = createNondeterminismMarker(workspace.ledger, pipeline);
  const marks = new Map(graph.order.map((stage) => [stage, mark(stage, last[stage])]));
  const nondeterminism = marks.get(name);
  return nondeterminism === undefined ? {} : { nondeterminism };
}

/** What the stage had in a run. Of a trace that is gone the record still knows all but the files. */
function recordIn(workspace: Workspace, run: RunRecord, name: string): StageRecord {
  const record = run.stages.find(({ stage }) => stage === name);
  if (record === undefined)
    throw new UsageError(
      `stage ${name} was not part of the run ${runTitle(run)}`,
      `its stages were ${run.stages.map(({ stage }) => stage).join(", ")}`,
    );
  return { ...record, outputs: withCards(workspace, record.outputs) };
}

/** Undefined where the stage leaves none, or its trace is gone. Equal files of two are stored once, and count twice here. */
function checkpointsOf({ traces, checkpoints }: Workspace, { fingerprint }: StageRecord): CheckpointCost | undefined {
  const base = fingerprint === undefined ? undefined : traces.find(fingerprint)[0]?.checkpointBase;
  if (base === undefined) return undefined;
  const found = checkpoints.list(base);
  const sizeBytes = found.reduce((sum, checkpoint) => sum + checkpoint.sizeBytes, 0);
  return { count: found.length, sizeBytes, kept: found.filter(({ kept }) => kept).length };
}

function factsOf(workspace: Workspace, trace: Trace) {
  const { fingerprint, durationMs, manifest, outputs, metrics, measurements, warnings, engine } = trace;
  return {
    fingerprint,
    durationMs,
    params: manifest.params,
    outputs: withCards(workspace, outputs),
    metrics,
    measurements,
    warnings,
    ...(engine === undefined ? {} : { engine }),
  };
}

/** A dataset's card says what it turned out to be: more than was known before it was made. */
function withCards({ artifacts }: Workspace, outputs: StageRecord["outputs"]): StageRecord["outputs"] {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => {
      const card = artifacts.read(output.digest, CARD_FILE);
      if (card === undefined) return [name, output];
      const facts = JSON.parse(new TextDecoder().decode(card)) as JsonObject;
      return [name, { ...output, facts: { ...output.facts, ...facts } }];
    }),
  );
}

/** By output. Those that the store has no more are left out. */
function filesOf(artifacts: ArtifactStore, { outputs }: StageRecord): Files {
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([output, { digest }]) => {
      const listing = artifacts.listing(digest);
      return listing === undefined ? [] : [[output, listing.files] as const];
    }),
  );
}

function printPaths(app: App, { layout }: Workspace, name: string, files: Files, wanted: string | undefined): void {
  const found = Object.entries(files).flatMap(([output, listed]) =>
    listed.map((file) => ({ shown: `${output}/${file.path}`, at: layout.object(file.digest) })),
  );
  const chosen =
    wanted === undefined ? found : found.filter(({ shown }) => shown === wanted || shown.startsWith(`${wanted}/`));
  if (chosen.length === 0)
    throw new UsageError(
      wanted === undefined ? `the store has no file of stage ${name}` : `stage ${name} has no file ${wanted}`,
      found.length === 0 ? undefined : `it has ${found.map(({ shown }) => shown).join(", ")}`,
    );
  for (const { shown, at } of chosen) app.out.write(chosen.length === 1 ? `${at}\n` : `${shown}\t${at}\n`);
}
