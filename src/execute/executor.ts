/**
 * Brings stages up to date, each as soon as what it needs is: when a stage's inputs are known it is decided by the same
 * function that `plan` uses, and is then fresh, restored or executed.
 *
 *   inputs known -> key -> decide -+-> fresh
 *                                  +-> restore (verified copies; damage means execute)
 *                                  +-> lock, then per attempt: tokens, verify inputs, process, take in, trace; visible
 *
 * What the plan found fresh is not looked at again. p-graph walks the rest without a limit of its own, and is loaded only
 * where several stages may run; how many stages run at once is the token pool's affair.
 * Longer than most files because what became of the stages so far is the state of one class.
 */
import { join } from "node:path";
import type { PGraph } from "p-graph";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { ownCheckpoints } from "../cache/checkpoint-store.ts";
import type { LockAttempt } from "../cache/locks.ts";
import { DamagedObject } from "../cache/object-store.ts";
import { createOverlayStore, type OverlayStore } from "../cache/overlay-store.ts";
import { dropDeadLocks } from "../cache/run-lease.ts";
import type { Trace, TracedResult } from "../cache/trace-store.ts";
import type { EmitEvent, RunEvent } from "../events.ts";
import { producersOf, type StageGraph } from "../graph/stage-graph.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import { type FileStat, isRefusal } from "../platform/file-system.ts";
import { describeHolder, type HeldLock } from "../platform/work-lock.ts";
import type { FailureRecord, StageOutcome, StageRecord } from "../record.ts";
import { type CheckpointTurn, createCheckpointTurns } from "./checkpoint-turns.ts";
import { type Decision, decideByKey, describeDifferences, withForesight } from "./decide.ts";
import { describeRefusal } from "./describe-refusal.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import { type Executed, type ExecuteStageResult, executeStage } from "./execute-stage.ts";
import { findMaker } from "./find-maker.ts";
import { pipelineFolderName, readLastRun, writeLastRun } from "./last-run.ts";
import { longestPaths } from "./longest-paths.ts";
import type { DetailedStage } from "./plan.ts";
import { attemptStage } from "./stage-attempts.ts";
import { type KeyedInputs, readStageInputs, type StageInputs } from "./stage-inputs.ts";
import { makeStageKey, type StageKey } from "./stage-key.ts";
import { stageResources } from "./stage-resources.ts";
import { createThreadAdviser, type ThreadAdviser } from "./thread-adviser.ts";
import { createTokenPool, type Resources } from "./token-pool.ts";
import { placeVisibleOutputs } from "./visible-outputs.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface ExecuteRequest {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  /** What to bring up to date, with all it needs, in order; what is expected to take long starts first. */
  readonly plan: readonly DetailedStage[];
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly force: ReadonlySet<string>;
  /** What stages share; its `cpus` are `--jobs`. */
  readonly capacity: Resources;
  readonly keepGoing: boolean;
  readonly runId: string;
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** First abort: every stage finishes its step and stops. */
  readonly signal: AbortSignal;
  /** Second: everything at once. */
  readonly killSignal: AbortSignal;
  readonly emit: EmitEvent;
}

/** The events an executor emits, without their time. */
type Happening = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, "atMs"> : never) : never;

class StageNotDone extends Error {}

export async function executeRun(workspace: Workspace, request: ExecuteRequest): Promise<readonly StageRecord[]> {
  const run = new Run(workspace, request);
  try {
    return await run.all();
  } finally {
    run.end();
  }
}

/** One run's state: what became of each stage so far. */
class Run {
  /** Another one from the moment on when the store cannot be written. */
  #workspace: Workspace;
  readonly #request: ExecuteRequest;
  readonly #folder: string;
  readonly #stages: ReadonlyMap<string, PipelineStage>;
  readonly #last: Readonly<Record<string, string>>;
  readonly #records = new Map<string, StageRecord>();
  readonly #traces = new Map<string, TracedResult>();
  readonly #fingerprints = new Map<string, string>();
  /** Why a stage is not what it was, as `split: seed 1 -> 2`, followed to where it began in this run. */
  readonly #roots = new Map<string, string>();
  readonly #tokens;
  readonly #turns;
  readonly #adviseThreads: ThreadAdviser;
  readonly #expectedMs: ReadonlyMap<string, number>;
  readonly #priorities: ReadonlyMap<string, number>;
  readonly #startMs: number;
  #lease: HeldLock | undefined;
  #overlay: OverlayStore | undefined;
  #isUnwritable = false;
  /** Checkpoints of the forced stages that this run saved: the only ones that they go on from. */
  readonly #ownCheckpoints = new Set<string>();
  #stopped = false;
  #rememberAgainMs = Number.NEGATIVE_INFINITY;

  constructor(workspace: Workspace, request: ExecuteRequest) {
    this.#workspace = workspace;
    this.#request = request;
    this.#folder = join(workspace.artifactsFolder, pipelineFolderName(request.pipeline));
    this.#stages = new Map(request.pipeline.stages.map((stage) => [stage.name, stage]));
    this.#last = readLastRun(workspace, request.pipeline)?.stages ?? {};
    this.#tokens = createTokenPool(request.capacity);
    this.#adviseThreads = createThreadAdviser(workspace.engines, workspace.machine.cores);
    const { plan, graph } = request;
    this.#expectedMs = new Map(
      plan.flatMap(({ stage, expectedMs }) => (expectedMs === undefined ? [] : [[stage, expectedMs] as const])),
    );
    this.#priorities = longestPaths(
      plan.map(({ stage }) => stage),
      graph,
      this.#expectedMs,
    );
    this.#startMs = workspace.clock.nowMs();
    this.#turns = createCheckpointTurns({
      wait: (ms, signal) => this.#workspace.clock.wait(ms, signal),
      tryLock: (name) => this.#tryLock(name),
      isOver: () => this.#stopped || request.signal.aborted,
      signal: request.signal,
      onWait: (stage, holder) => this.#emit({ type: "stage-waiting", stage: stage.name, holder }),
    });
  }

  async all(): Promise<readonly StageRecord[]> {
    const { plan, force, runId } = this.#request;
    // What is no stage's last success may have been collected since the plan was made: it is decided again.
    const isSettled = ({ stage, decision, trace }: DetailedStage) =>
      decision === "fresh" && !force.has(stage) && trace!.fingerprint === this.#last[stage];
    for (const { stage, reason, trace } of plan.filter(isSettled))
      this.#succeed(this.#stages.get(stage)!, "fresh", reason, trace!);
    const rest = plan.filter((planned) => !isSettled(planned));
    if (rest.length > 0) await this.#takeLease();
    if (rest.length > 1 && rest.some(({ decision }) => decision === "run" || decision === "pending"))
      await this.#walk(rest.map(({ stage }) => stage));
    else
      for (const { stage } of rest)
        await this.#bringUpToDate(stage).catch((error: unknown) => {
          if (!(error instanceof StageNotDone)) throw error;
        });
    for (const { stage } of plan) if (!this.#records.has(stage)) this.#skip(stage);
    this.#rememberLast(runId);
    return plan.map(({ stage }) => this.#records.get(stage)!);
  }

  end(): void {
    this.#lease?.release();
    this.#overlay?.remove();
  }

  /** Before the first write. While a run has one, nothing is collected. */
  async #takeLease(): Promise<void> {
    const { files, layout, locks, clock } = this.#workspace;
    const { runId, signal } = this.#request;
    try {
      dropDeadLocks(this.#workspace);
      const lease = locks.tryLease(runId);
      if ("release" in lease) this.#lease = lease;
      // A collector has its lock before it looks for leases, and ours is there before we look: one of the two sees the other.
      for (let waited = false; files.stat(layout.collector) !== undefined && !signal.aborted; waited = true) {
        const collector = locks.tryCollect();
        if ("release" in collector) return collector.release();
        if (!waited)
          this.#emit({ type: "warned", message: `waits for the end of pipe gc (${describeHolder(collector.holder)})` });
        await clock.wait(LOCK_POLL_MS, signal);
      }
    } catch (error) {
      this.#goOnBesideStore(error);
    }
  }

  /** The store cannot be written: said once, and from here on what is made is kept beside it until the run's end. */
  #goOnBesideStore(error: unknown): void {
    if (!isRefusal(error)) throw error;
    if (this.#isUnwritable) return;
    this.#isUnwritable = true;
    const { message, help } = describeRefusal(error) ?? { message: String(error), help: "check the folder artifacts/" };
    let outcome = "what this run makes is placed, and not kept for later runs";
    try {
      this.#overlay = createOverlayStore(this.#workspace);
      this.#workspace = { ...this.#workspace, ...this.#overlay };
    } catch (refused) {
      if (!isRefusal(refused)) throw refused;
      outcome = "nor can the folder beside it, so no stage can run";
    }
    this.#emit({ type: "warned", message: `the store cannot be written: ${message}; ${outcome}`, help });
  }

  async #walk(names: readonly string[]): Promise<void> {
    const { PGraph, PGraphError } = await import("p-graph");
    const nodes = new Map(names.map((name) => [name, { run: () => this.#bringUpToDate(name) }]));
    const edges = names.flatMap((name) => {
      const needs = this.#request.graph.needs.get(name)!.filter((need) => nodes.has(need));
      return needs.map((need): [string, string] => [need, name]);
    });
    const walk: PGraph = new PGraph(nodes, edges);
    try {
      await walk.run({ continue: true });
    } catch (error) {
      if (!(error instanceof PGraphError)) throw error;
      const bug = error.taskErrors.find((one) => !(one instanceof StageNotDone));
      if (bug !== undefined) throw bug;
    }
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
    const force = this.#request.force.has(stage.name);
    if (stage.execution.frozen && !force) return this.#keepFrozen(stage);
    const { inputs, keyed, watched } = await this.#readInputs(stage);
    const key = this.#keyOf(stage, keyed);
    const lastFingerprint = this.#last[stage.name];
    const rootOf = (name: string) => this.#roots.get(name);
    let decision = await decideByKey(workspace, { stage, key, lastFingerprint, folder: this.#folder, force, rootOf });
    this.#noteRoot(stage, decision);
    if (decision.decision === "fresh") return this.#succeed(stage, "fresh", decision.reason, decision.trace!);
    if (decision.decision === "restore") {
      try {
        await this.#place(stage, decision.trace!);
        return this.#succeed(stage, "restored", decision.reason, decision.trace!);
      } catch (error) {
        if (!(error instanceof DamagedObject)) throw error;
        this.#emit({ type: "warned", message: `${error.message}; ${stage.name} runs again` });
        decision = { decision: "run", reason: error.message, differences: decision.differences };
      }
    }
    const lock = await this.#lock(stage, key);
    try {
      // Until we had the lock, somebody else may have made the very trace.
      if (!force && this.#workspace.traces.find(key.fingerprint).length > 0) {
        const again = await decideByKey(this.#workspace, { stage, key, lastFingerprint, folder: this.#folder });
        if (again.trace !== undefined) {
          if (again.decision === "restore") await this.#place(stage, again.trace);
          const ours = again.trace.runId === this.#request.runId;
          const reason = ours ? "made by a stage with the same key" : "made by another run meanwhile";
          return this.#succeed(stage, "restored", reason, again.trace);
        }
      }
      await this.#execute(stage, key, decision, inputs, watched);
    } finally {
      lock?.release();
    }
  }

  #noteRoot(stage: PipelineStage, { reason, differences }: Decision): void {
    for (const { part, name } of differences) {
      const source = part === "input" ? stage.inputs[name] : undefined;
      const root = source?.from === "stage" ? this.#roots.get(source.stage) : undefined;
      if (root !== undefined) return void this.#roots.set(stage.name, root);
    }
    const text = differences.length === 0 ? reason : describeDifferences(differences, stage);
    this.#roots.set(stage.name, `${stage.name}: ${text}`);
  }

  /** The plan knows all there is to know: what a frozen stage gives depends on nothing in this run. */
  async #keepFrozen(stage: PipelineStage): Promise<void> {
    const { reason, trace, refusal } = this.#request.plan.find((planned) => planned.stage === stage.name)!;
    if (trace === undefined) this.#fail(stage, "frozen", { ...refusal!, lastOutput: [] });
    await this.#place(stage, trace);
    this.#succeed(stage, "restored", reason, trace);
  }

  async #execute(
    stage: PipelineStage,
    key: StageKey,
    decision: Decision,
    inputs: Readonly<Record<string, ArtifactPaths>>,
    watched: ReadonlyMap<string, FileStat>,
  ): Promise<void> {
    const { capacity, signal } = this.#request;
    const { tokens, warnings } = stageResources(stage, capacity);
    for (const message of warnings) this.#emit({ type: "warned", message });
    let turn: CheckpointTurn | undefined;
    let { reason } = decision;
    const hasRun = await attemptStage({
      stage,
      signal,
      clock: this.#workspace.clock,
      acquire: async () => {
        turn = await this.#turns.take(stage, key, this.#workspaceOf(stage));
        reason = withForesight(this.#workspace, decision, turn.foresight, {
          key,
          lastFingerprint: this.#last[stage.name],
          force: this.#request.force.has(stage.name),
        });
        const release = await this.#tokens.acquire(tokens, this.#priorities.get(stage.name) ?? 0);
        const taken = turn;
        return () => {
          taken.end();
          release();
        };
      },
      isStopped: () => this.#stopped,
      settle: (ended) => this.#settle(stage, key, reason, ended),
      execute: async (attempt) => {
        await this.#start(stage, key, reason, attempt);
        return this.#runProcess(stage, key, await this.#locate(stage, inputs), watched, turn);
      },
      onRetry: (retry) => this.#emit({ type: "stage-retrying", stage: stage.name, ...retry }),
    });
    if (hasRun) return;
    this.#skip(stage.name);
    throw new StageNotDone();
  }

  async #settle(stage: PipelineStage, key: StageKey, reason: string, ended: ExecuteStageResult): Promise<void> {
    switch (ended.result) {
      case "ran":
        if (stage.execution.cache) this.#reportOtherResults(stage, ended.trace);
        await this.#place(stage, ended.trace);
        return this.#succeed(stage, "ran", reason, ended.trace);
      case "interrupted":
        this.#stopped = true;
        this.#finish(stage, "interrupted", reason, { ...executedOf(ended), fingerprint: key.fingerprint });
        throw new StageNotDone();
      case "failed":
        return this.#fail(stage, reason, ended.failure, { ...executedOf(ended), fingerprint: key.fingerprint });
    }
  }

  async #start(stage: PipelineStage, key: StageKey, reason: string, attempt: number): Promise<void> {
    if (attempt === 1 && key.engine !== undefined) {
      const advice = await this.#adviseThreads(key.engine, this.#expectedMs.get(stage.name));
      if (advice !== undefined) this.#emit({ type: "warned", message: advice });
    }
    this.#emit({
      type: "stage-started",
      stage: stage.name,
      stageType: stage.type,
      fingerprint: key.fingerprint,
      reason,
      ...(attempt === 1 ? {} : { attempt }),
    });
    await this.#healInputs(stage);
  }

  /** What had to be made again is at another place if the store cannot be written. */
  async #locate(stage: PipelineStage, inputs: Readonly<Record<string, ArtifactPaths>>): Promise<typeof inputs> {
    return this.#isUnwritable ? (await readStageInputs(this.#workspace, stage, this.#traces)).inputs : inputs;
  }

  #runProcess(
    stage: PipelineStage,
    key: StageKey,
    inputs: Readonly<Record<string, ArtifactPaths>>,
    watched: ReadonlyMap<string, FileStat>,
    turn?: CheckpointTurn,
  ): Promise<ExecuteStageResult> {
    const { runId, worker, environment, signal, killSignal } = this.#request;
    const over = new AbortController();
    const ended = executeStage(this.#workspaceOf(stage), {
      stage,
      key,
      inputs,
      watched,
      ...(turn === undefined ? {} : { turn }),
      runId,
      worker,
      environment,
      signal,
      onStart(kill) {
        if (killSignal.aborted) kill();
        else killSignal.addEventListener("abort", kill, { once: true, signal: over.signal });
      },
      onOutput: (stream, line) => this.#emit({ type: "stage-logged", stage: stage.name, stream, line }),
      onMessage: (message) => this.#emit(happeningOf(stage.name, message)),
    });
    return ended.finally(() => over.abort());
  }

  #workspaceOf(stage: PipelineStage): Workspace {
    if (!this.#request.force.has(stage.name)) return this.#workspace;
    return { ...this.#workspace, checkpoints: ownCheckpoints(this.#workspace.checkpoints, this.#ownCheckpoints) };
  }

  /** An input whose listing is damaged cannot even be opened: it is made again first. */
  async #readInputs(stage: PipelineStage): Promise<StageInputs> {
    const read = () => readStageInputs(this.#workspace, stage, this.#traces);
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof DamagedObject)) throw error;
      await this.#healInputs(stage);
      return read();
    }
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
    const { inputs, keyed, watched } = await readStageInputs(this.#workspace, stage, this.#traces);
    const key = this.#keyOf(stage, keyed);
    const ended = await this.#runProcess(stage, key, inputs, watched);
    if (ended.result === "failed") this.#fail(stage, reason, ended.failure, executedOf(ended));
    if (ended.result === "interrupted") {
      this.#stopped = true;
      throw new StageNotDone();
    }
  }

  #keyOf(stage: PipelineStage, inputs: KeyedInputs): StageKey {
    const { pipeline, engines } = this.#request;
    const engine = engines.get(stage.name);
    return makeStageKey(this.#workspace, { stage, pipelineFolder: pipeline.folder, inputs, engine });
  }

  /** Undefined where the store cannot be written: a lock only saves work. */
  async #lock(stage: PipelineStage, key: StageKey): Promise<HeldLock | undefined> {
    const { clock } = this.#workspace;
    const { signal } = this.#request;
    for (let waited = false; ; waited = true) {
      const attempt = this.#tryLock(key.fingerprint);
      if (attempt === undefined) return undefined;
      if ("release" in attempt) return attempt;
      if (!waited)
        this.#emit({
          type: "stage-waiting",
          stage: stage.name,
          holder: describeHolder(attempt.holder),
        });
      if (this.#stopped || signal.aborted) {
        this.#skip(stage.name);
        throw new StageNotDone();
      }
      await clock.wait(LOCK_POLL_MS, signal);
    }
  }

  #tryLock(fingerprint: string): LockAttempt | undefined {
    if (this.#isUnwritable) return undefined;
    try {
      return this.#workspace.locks.tryAcquire(fingerprint);
    } catch (error) {
      this.#goOnBesideStore(error);
      return undefined;
    }
  }

  #place(stage: PipelineStage, trace: TracedResult): Promise<void> {
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
    const differs = (other: Trace) =>
      Object.entries(trace.outputs).some(([name, { digest }]) => other.outputs[name]?.digest !== digest);
    const other = others.find(differs);
    if (other !== undefined) this.#enterLedger(other, trace);
    for (const [name, output] of Object.entries(trace.outputs))
      if (others.some((one) => one.outputs[name]?.digest !== output.digest))
        this.#emit({
          type: "warned",
          message: `${stage.name} is nondeterministic: the same inputs, code and params gave another ${name} before`,
          help: "both results are kept; the newest one is used",
        });
  }

  /** Both traces are kept whatever becomes of the entry. */
  #enterLedger(before: Trace, after: Trace): void {
    if (this.#isUnwritable) return;
    try {
      this.#workspace.ledger.add(before, after, "run");
    } catch (error) {
      this.#goOnBesideStore(error);
    }
  }

  /** So that `why` and `show` know after a kill, too, what succeeded before it. */
  #rememberLast(runId: string | undefined): void {
    if (this.#isUnwritable) return;
    const { clock } = this.#workspace;
    const startedMs = clock.nowMs();
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
    // A long list takes long to write: of thousands of stages not after each.
    const endedMs = clock.nowMs();
    this.#rememberAgainMs = endedMs + REMEMBERING_SHARE * (endedMs - startedMs);
  }

  #succeed(stage: PipelineStage, outcome: "fresh" | "restored" | "ran", reason: string, trace: TracedResult): void {
    this.#traces.set(stage.name, trace);
    // Of a frozen stage not the one it would have: what is there was made by the trace's.
    this.#fingerprints.set(stage.name, trace.fingerprint);
    // After the last one the run remembers them all.
    const isLast = this.#records.size === this.#request.plan.length - 1;
    if (outcome !== "fresh" && !isLast && this.#workspace.clock.nowMs() >= this.#rememberAgainMs)
      this.#rememberLast(undefined);
    this.#finish(stage, outcome, reason, {
      fingerprint: trace.fingerprint,
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
/** At most one part in so many of the time goes into remembering. */
const REMEMBERING_SHARE = 10;

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
