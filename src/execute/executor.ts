/**
 * Brings stages up to date, each as soon as what it needs is: when a stage's inputs are known it is decided by the same
 * function that `plan` uses, and is then fresh, restored or executed.
 *
 *   inputs known -> key -> decide -+-> fresh
 *                                  +-> restore (verified copies; damage means execute)
 *                                  +-> lock, tokens, verify inputs, process, take in, trace, visible
 *
 * p-graph walks the graph without a limit of its own; how many stages run at once is the token pool's affair.
 * Longer than most files because what became of the stages so far is the state of one class.
 */
import { join } from "node:path";
import type { PGraph } from "p-graph";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { DamagedObject } from "../cache/object-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { EmitEvent, RunEvent } from "../events.ts";
import { producersOf, type StageGraph } from "../graph/stage-graph.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { FileStat } from "../platform/file-system.ts";
import type { FailureRecord, StageOutcome, StageRecord } from "../record.ts";
import { type Decision, decideStage } from "./decide.ts";
import { describeRefusal } from "./describe-refusal.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import { type Executed, type ExecuteStageResult, executeStage } from "./execute-stage.ts";
import { findMaker } from "./find-maker.ts";
import { pipelineFolderName, readLastRun, writeLastRun } from "./last-run.ts";
import { longestPaths } from "./longest-paths.ts";
import { readStageInputs } from "./stage-inputs.ts";
import { makeStageKey, type StageKey } from "./stage-key.ts";
import { createThreadAdviser, type ThreadAdviser } from "./thread-adviser.ts";
import { createTokenPool } from "./token-pool.ts";
import { placeVisibleOutputs } from "./visible-outputs.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface ExecuteRequest {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  /** What to bring up to date, with all it needs, in order. */
  readonly stages: readonly string[];
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly force: ReadonlySet<string>;
  readonly jobs: number;
  readonly keepGoing: boolean;
  readonly runId: string;
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** First abort: every stage finishes its step and stops. */
  readonly signal: AbortSignal;
  /** Second: everything at once. */
  readonly killSignal: AbortSignal;
  readonly emit: EmitEvent;
  /** From the plan; what is expected to take long starts first. */
  readonly expectedMs: ReadonlyMap<string, number>;
}

/** The events an executor emits, without their time. */
type Happening = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "atMs"> : never) : never;

class StageNotDone extends Error {}

export async function executeRun(workspace: Workspace, request: ExecuteRequest): Promise<readonly StageRecord[]> {
  const run = new Run(workspace, request);
  return run.all();
}

/** One run's state: what became of each stage so far. */
class Run {
  readonly #workspace: Workspace;
  readonly #request: ExecuteRequest;
  readonly #folder: string;
  readonly #stages: ReadonlyMap<string, PipelineStage>;
  readonly #last: Readonly<Record<string, string>>;
  readonly #records = new Map<string, StageRecord>();
  readonly #traces = new Map<string, Trace>();
  readonly #fingerprints = new Map<string, string>();
  readonly #tokens;
  readonly #adviseThreads: ThreadAdviser;
  readonly #priorities: ReadonlyMap<string, number>;
  readonly #startMs: number;
  #stopped = false;

  constructor(workspace: Workspace, request: ExecuteRequest) {
    this.#workspace = workspace;
    this.#request = request;
    this.#folder = join(workspace.artifactsFolder, pipelineFolderName(request.pipeline));
    this.#stages = new Map(request.pipeline.stages.map((stage) => [stage.name, stage]));
    this.#last = readLastRun(workspace, request.pipeline)?.stages ?? {};
    this.#tokens = createTokenPool(request.jobs);
    this.#adviseThreads = createThreadAdviser(workspace.engines, workspace.machine.cores);
    this.#priorities = longestPaths(request.stages, request.graph, request.expectedMs);
    this.#startMs = workspace.clock.nowMs();
  }

  async all(): Promise<readonly StageRecord[]> {
    const { stages, graph } = this.#request;
    const { PGraph, PGraphError } = await import("p-graph");
    const nodes = Object.fromEntries(stages.map((name) => [name, { run: () => this.#bringUpToDate(name) }]));
    const edges = stages.flatMap((name) => graph.needs.get(name)!.map((need): [string, string] => [need, name]));
    const walk: PGraph = new PGraph(nodes, edges);
    try {
      await walk.run({ continue: true });
    } catch (error) {
      if (!(error instanceof PGraphError)) throw error;
      const bug = error.taskErrors.find((one) => !(one instanceof StageNotDone));
      if (bug !== undefined) throw bug;
    }
    for (const name of stages) if (!this.#records.has(name)) this.#skip(name);
    this.#rememberLast(this.#request.runId);
    return stages.map((name) => this.#records.get(name)!);
  }

  async #bringUpToDate(name: string): Promise<void> {
    const stage = this.#stages.get(name)!;
    if (this.#stopped) {
      this.#skip(name);
      throw new StageNotDone();
    }
    try {
      await this.#advance(stage);
    } catch (error) {
      if (error instanceof StageNotDone) throw error;
      const refusal = describeRefusal(error);
      if (refusal === undefined) throw error;
      this.#fail(stage, "could not be brought up to date", refusal);
    }
  }

  async #advance(stage: PipelineStage): Promise<void> {
    const workspace = this.#workspace;
    const { inputs, digests, watched } = await readStageInputs(this.#workspace, stage, this.#traces);
    const key = makeStageKey(workspace, stage, digests, this.#request.engines.get(stage.name));
    const force = this.#request.force.has(stage.name);
    const lastFingerprint = this.#last[stage.name];
    let decision = await decideStage(workspace, { stage, key, lastFingerprint, folder: this.#folder, force });
    if (decision.decision === "fresh") return this.#succeed(stage, "fresh", decision.reason, key, decision.trace!);
    if (decision.decision === "restore") {
      try {
        await this.#place(stage, decision.trace!);
        return this.#succeed(stage, "restored", decision.reason, key, decision.trace!);
      } catch (error) {
        if (!(error instanceof DamagedObject)) throw error;
        this.#emit({ type: "warned", message: `${error.message}; ${stage.name} runs again` });
        decision = { decision: "run", reason: error.message, differences: decision.differences };
      }
    }
    const lock = await this.#lock(stage, key);
    try {
      // While waiting, somebody else may have made the very trace.
      if (lock.waited && !force) {
        const again = await decideStage(workspace, { stage, key, lastFingerprint, folder: this.#folder });
        if (again.trace !== undefined) {
          if (again.decision === "restore") await this.#place(stage, again.trace);
          return this.#succeed(stage, "restored", "made by another run meanwhile", key, again.trace);
        }
      }
      await this.#execute(stage, key, decision, inputs, watched);
    } finally {
      lock.release();
    }
  }

  async #execute(
    stage: PipelineStage,
    key: StageKey,
    { reason }: Decision,
    inputs: Readonly<Record<string, ArtifactPaths>>,
    watched: ReadonlyMap<string, FileStat>,
  ): Promise<void> {
    const { jobs, signal } = this.#request;
    const release = await this.#tokens.acquire(
      key.engine === undefined ? 1 : jobs,
      this.#priorities.get(stage.name) ?? 0,
    );
    try {
      if (this.#stopped || signal.aborted) {
        this.#skip(stage.name);
        throw new StageNotDone();
      }
      const advice = key.engine && (await this.#adviseThreads(key.engine, this.#request.expectedMs.get(stage.name)));
      if (advice !== undefined) this.#emit({ type: "warned", message: advice });
      this.#emit({
        type: "stage-started",
        stage: stage.name,
        stageType: stage.type,
        fingerprint: key.fingerprint,
        reason,
      });
      await this.#healInputs(stage);
      const ended = await this.#runProcess(stage, key, inputs, watched);
      switch (ended.result) {
        case "ran":
          this.#reportOtherResults(stage, ended.trace);
          await this.#place(stage, ended.trace);
          return this.#succeed(stage, "ran", reason, key, ended.trace);
        case "interrupted":
          this.#stopped = true;
          this.#finish(stage, "interrupted", reason, { ...executedOf(ended), fingerprint: key.fingerprint });
          throw new StageNotDone();
        case "failed":
          return this.#fail(stage, reason, ended.failure, { ...executedOf(ended), fingerprint: key.fingerprint });
      }
    } finally {
      release();
    }
  }

  #runProcess(
    stage: PipelineStage,
    key: StageKey,
    inputs: Readonly<Record<string, ArtifactPaths>>,
    watched: ReadonlyMap<string, FileStat>,
  ): Promise<ExecuteStageResult> {
    const { runId, worker, environment, signal, killSignal } = this.#request;
    return executeStage(this.#workspace, {
      stage,
      key,
      inputs,
      watched,
      runId,
      worker,
      environment,
      signal,
      onStart: (kill) => (killSignal.aborted ? kill() : killSignal.addEventListener("abort", kill, { once: true })),
      onOutput: (stream, line) => this.#emit({ type: "stage-logged", stage: stage.name, stream, line }),
      onMessage: (message) => this.#emit(happeningOf(stage.name, message)),
    });
  }

  /** Reads every input from the store once, whole. What is damaged is made again by the stage that made it. */
  async #healInputs(stage: PipelineStage): Promise<void> {
    for (const source of Object.values(stage.inputs).flatMap(producersOf)) {
      const digest = this.#traces.get(source.stage)!.outputs[source.output]!.digest;
      const damaged = await this.#workspace.artifacts.inspect(digest, true);
      if (damaged === undefined) continue;
      const { artifacts } = this.#workspace;
      const made = findMaker(artifacts, this.#request.graph, this.#traces, source.stage, damaged.digest);
      const maker = this.#stages.get(made)!;
      this.#emit({ type: "warned", message: `${damaged.message}; ${maker.name} runs again to make it` });
      await this.#remake(maker, damaged.message);
      const still = await this.#workspace.artifacts.inspect(digest, true);
      if (still !== undefined)
        this.#fail(stage, "its input could not be repaired", {
          message: `${still.message}, and running ${maker.name} again gave another result`,
          help: `run with --force ${maker.name}`,
          lastOutput: [],
        });
    }
  }

  async #remake(stage: PipelineStage, reason: string): Promise<void> {
    await this.#healInputs(stage);
    const { inputs, digests, watched } = await readStageInputs(this.#workspace, stage, this.#traces);
    const key = makeStageKey(this.#workspace, stage, digests, this.#request.engines.get(stage.name));
    const ended = await this.#runProcess(stage, key, inputs, watched);
    if (ended.result === "failed") this.#fail(stage, reason, ended.failure, executedOf(ended));
    if (ended.result === "interrupted") {
      this.#stopped = true;
      throw new StageNotDone();
    }
  }

  async #lock(
    stage: PipelineStage,
    key: StageKey,
  ): Promise<{ readonly release: () => void; readonly waited: boolean }> {
    const { locks, clock } = this.#workspace;
    for (let waited = false; ; waited = true) {
      const attempt = locks.tryAcquire(key.fingerprint);
      if ("release" in attempt) return { release: attempt.release, waited };
      if (!waited)
        this.#emit({
          type: "stage-waiting",
          stage: stage.name,
          holder: `process ${attempt.holder.pid} on ${attempt.holder.host}`,
        });
      if (this.#request.signal.aborted) {
        this.#skip(stage.name);
        throw new StageNotDone();
      }
      await clock.wait(LOCK_POLL_MS);
    }
  }

  #place(stage: PipelineStage, trace: Trace): Promise<void> {
    return placeVisibleOutputs(this.#workspace, {
      folder: join(this.#folder, stage.name),
      outputs: trace.outputs,
      ports: stage.outputs,
    });
  }

  /** One fingerprint, two results on one class of machine: the stage is not a function of its key. */
  #reportOtherResults(stage: PipelineStage, trace: Trace): void {
    const others = this.#workspace.traces
      .find(trace.fingerprint)
      .filter(({ platformClass }) => platformClass === trace.platformClass);
    for (const [name, output] of Object.entries(trace.outputs))
      if (others.some((other) => other.outputs[name]?.digest !== output.digest))
        this.#emit({
          type: "warned",
          message: `${stage.name} is nondeterministic: the same inputs, code and params gave another ${name} before`,
          help: "both results are kept; the newest one is used",
        });
  }

  /** So that `why` and `show` know after a kill, too, what succeeded before it. */
  #rememberLast(runId: string | undefined): void {
    try {
      writeLastRun(this.#workspace, this.#request.pipeline, runId, this.#fingerprints);
    } catch (error) {
      const refusal = describeRefusal(error);
      if (refusal === undefined) throw error;
      this.#emit({
        type: "warned",
        message: `what succeeded cannot be remembered: ${refusal.message}`,
        help: refusal.help,
      });
    }
  }

  #succeed(
    stage: PipelineStage,
    outcome: "fresh" | "restored" | "ran",
    reason: string,
    key: StageKey,
    trace: Trace,
  ): void {
    this.#traces.set(stage.name, trace);
    this.#fingerprints.set(stage.name, key.fingerprint);
    if (outcome !== "fresh") this.#rememberLast(undefined);
    this.#finish(stage, outcome, reason, {
      fingerprint: key.fingerprint,
      durationMs: trace.durationMs,
      outputs: trace.outputs,
      metrics: trace.metrics,
      measurements: trace.measurements,
      warnings: trace.warnings,
      ...(trace.engine === undefined ? {} : { engine: trace.engine }),
    });
  }

  #fail(stage: PipelineStage, reason: string, failure: FailureRecord, rest: Partial<StageRecord> = {}): never {
    if (!this.#request.keepGoing) this.#stopped = true;
    this.#finish(stage, "failed", reason, { ...rest, failure });
    throw new StageNotDone();
  }

  #skip(name: string): void {
    if (this.#records.has(name)) return;
    const missing = this.#request.graph.needs.get(name)!.filter((need) => !this.#traces.has(need));
    const reason = this.#request.signal.aborted
      ? "the run was interrupted"
      : missing.length > 0
        ? `needs ${missing.join(", ")}`
        : "another stage failed";
    this.#finish(this.#stages.get(name)!, "skipped", reason, {});
  }

  #finish(stage: PipelineStage, outcome: StageOutcome, reason: string, rest: Partial<StageRecord>): void {
    const record: StageRecord = {
      stage: stage.name,
      stageType: stage.type,
      needs: this.#request.graph.needs.get(stage.name)!,
      outcome,
      reason,
      durationMs: 0,
      params: stage.params,
      outputs: {},
      metrics: {},
      measurements: {},
      warnings: [],
      ...rest,
    };
    this.#records.set(stage.name, record);
    this.#emit({ type: "stage-finished", stage: stage.name, record });
  }

  #emit(happening: Happening): void {
    this.#request.emit({ ...happening, atMs: this.#workspace.clock.nowMs() - this.#startMs } as RunEvent);
  }
}

const LOCK_POLL_MS = 200;

function executedOf({ durationMs, metrics, measurements, warnings }: Executed): Executed {
  return { durationMs, metrics, measurements, warnings };
}

function happeningOf(stage: string, message: WorkerNews): Happening {
  switch (message.type) {
    case "progress":
      return { type: "stage-progressed", stage, progress: message.progress };
    case "log":
      return { type: "stage-logged", stage, stream: "log", line: message.line };
    case "warn":
      return { type: "stage-warned", stage, line: message.line };
    case "measure":
      return { type: "stage-measured", stage, name: message.name, value: message.value, role: message.role };
  }
}
