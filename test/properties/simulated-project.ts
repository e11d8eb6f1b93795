/**
 * A project on a disk in memory, and the processes that run its pipeline there: the real planner, executor, store, memo and
 * locks, with puppet stages. A process can be killed at any change of the disk; the next one opens what is left.
 *
 * `run` is what `pipe run` does, without screens: plan, execute, and keep the run's record, its events and the memo.
 */
import { join } from "node:path";
import { createArtifactStore } from "../../src/cache/artifact-store.ts";
import { createCheckpointStore } from "../../src/cache/checkpoint-store.ts";
import { createCodeStore } from "../../src/cache/code-store.ts";
import { createLedger } from "../../src/cache/ledger.ts";
import { createLocks } from "../../src/cache/locks.ts";
import { createObjectStore } from "../../src/cache/object-store.ts";
import { openStoreLayout, replaceFile } from "../../src/cache/store-layout.ts";
import { createTraceStore } from "../../src/cache/trace-store.ts";
import type { StageDefinition } from "../../src/contract.ts";
import type { RunEvent } from "../../src/events.ts";
import { executeRun } from "../../src/execute/executor.ts";
import { digestOfRun, readLastRun, writeLastRun } from "../../src/execute/last-run.ts";
import { planRun } from "../../src/execute/plan.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { buildStageGraph } from "../../src/graph/stage-graph.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { createStatMemo } from "../../src/identity/stat-memo.ts";
import type { InputSource, Pipeline, StageCatalogue } from "../../src/language/pipeline.ts";
import type { FileSystem } from "../../src/platform/file-system.ts";
import { createLookRecorder } from "../../src/platform/look-recorder.ts";
import type { RunRecord, StageRecord } from "../../src/record.ts";
import { createDyingDisk, type Death, Killed } from "./dying-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { codeText, INPUT_FOLDER, type ModelProject, PUPPET_OUTPUTS, PUPPETS } from "./model-project.ts";
import type { PuppetTheatre } from "./puppet-stages.ts";

const HOME = "/project";
export const INPUTS = `${HOME}/inputs`;
export const ARTIFACTS = `${HOME}/artifacts`;
export const VISIBLE = `${ARTIFACTS}/puppets`;

export interface SimulatedRun {
  /** Undefined of a process that was killed. */
  readonly records: readonly StageRecord[] | undefined;
  /** What it had announced of its stages until its end or death. */
  readonly finished: readonly StageRecord[];
  /** Processes, by their number, that held a lock which it waited for; 0 where the lock does not say. */
  readonly waitedFor: readonly number[];
  readonly pid: number;
}

export interface SimulatedRunOptions {
  readonly theatre: PuppetTheatre;
  readonly jobs: number;
  readonly death?: Omit<Death, "onDeath">;
  readonly beforeCopy?: (from: string) => void;
  readonly signal?: AbortSignal;
}

const outputs = Object.fromEntries(
  PUPPET_OUTPUTS.map((name) => [name, { kind: "puppet", description: "What it made." }]),
);
const catalogue: StageCatalogue = new Map(
  PUPPETS.map((type) => {
    const definition: StageDefinition = {
      type,
      description: "A puppet.",
      inputs: { "*": { kind: "any", description: "Anything." } },
      outputs,
      run: async () => {},
    };
    const aside = { "x-role": "execution" };
    return [type, { definition, schema: { properties: { stage: aside, note: aside } } }];
  }),
);

export class SimulatedProject {
  readonly disk = new MemoryDisk();
  readonly #alive = new Set<number>();
  readonly #heartbeats = new Set<() => void>();
  #processes = 0;
  #names = 0;
  #steps = 0;

  /** Writes what of the model is on the disk: code and input files. Files that are as they are stay untouched. */
  lay(model: ModelProject): void {
    const { disk } = this;
    disk.makeFolder(`${HOME}/code`);
    disk.makeFolder(join(INPUTS, INPUT_FOLDER));
    for (const type of PUPPETS) this.#put(codePath(type), codeText(type, model.code[type]), false);
    for (const [path] of disk.filesIn(INPUTS)) if (!model.files.has(path)) disk.remove(join(INPUTS, path));
    for (const [path, { text, executable }] of model.files) this.#put(join(INPUTS, path), text, executable);
  }

  #put(path: string, text: string, executable: boolean): void {
    const { disk } = this;
    const stat = disk.stat(path);
    if (stat === undefined) disk.makeFolder(join(path, ".."));
    if (disk.readText(path) !== text) disk.write(path, text);
    if ((disk.stat(path)?.executable ?? false) !== executable)
      disk.setMode(path, executable ? "writable-executable" : "writable");
    // What a user has saved is not what a loss of power takes.
    disk.flush(path);
  }

  /** The store as a process of its own sees it that does nothing else. */
  openStore(): Pick<Workspace, "files" | "layout" | "locks"> {
    return this.#open(undefined, this.disk);
  }

  async run(model: ModelProject, options: SimulatedRunOptions): Promise<SimulatedRun> {
    const pid = ++this.#processes;
    this.#alive.add(pid);
    const { theatre, jobs, death, beforeCopy, signal } = options;
    const onDeath = () => this.#alive.delete(pid);
    const dying = createDyingDisk(this.disk, {
      ...(death === undefined ? {} : { death: { ...death, onDeath } }),
      ...(beforeCopy === undefined ? {} : { beforeCopy }),
    });
    const finished: StageRecord[] = [];
    const waitedFor: number[] = [];
    const result = { pid, finished, waitedFor };
    try {
      const records = await this.#runPipeline(model, {
        pid,
        files: dying.files,
        theatre,
        jobs,
        signal: signal ?? new AbortController().signal,
        onEvent(event) {
          if (event.type === "stage-finished" && !dying.isDead()) finished.push(event.record);
          if (event.type === "stage-waiting") waitedFor.push(Number(/\d+/.exec(event.holder)?.[0] ?? 0));
        },
      });
      return { ...result, records: dying.isDead() ? undefined : records };
    } catch (error) {
      // What a process throws that is dead already is nobody's affair; but it dies of nothing else.
      if (!(error instanceof Killed) && !dying.isDead()) throw error;
      return { ...result, records: undefined };
    } finally {
      this.#alive.delete(pid);
    }
  }

  async #runPipeline(
    model: ModelProject,
    given: {
      readonly pid: number;
      readonly files: FileSystem;
      readonly theatre: PuppetTheatre;
      readonly jobs: number;
      readonly signal: AbortSignal;
      readonly onEvent: (event: RunEvent) => void;
    },
  ): Promise<readonly StageRecord[]> {
    const workspace = this.#open(given.theatre, given.files, given.pid);
    const { files, layout } = workspace;
    const pipeline = pipelineOf(model);
    const graph = buildStageGraph(pipeline);
    const force = new Set<string>();
    const identity = digestBytes(JSON.stringify(pipeline));
    const request = { pipeline, graph, stages: graph.order, engines: new Map(), force, identity };
    const plan = await planRun(workspace, request);
    const startedAt = workspace.clock.date();
    const runId = `${startedAt.replace(/[-:]|\.\d+Z/g, "")}-${String(given.pid).padStart(6, "0")}`;
    const nothingToDo = plan.every(({ decision }) => decision === "fresh");
    const stages = plan.map(({ differences: _differences, trace: _trace, refusal: _refusal, ...planned }) => planned);
    const started: RunEvent = {
      type: "run-started",
      atMs: 0,
      runId,
      pipeline: "puppets",
      profiles: [],
      params: {},
      stages,
    };
    files.makeFolder(layout.run(runId));
    const emit = (event: RunEvent): void => {
      given.onEvent(event);
      files.append(join(layout.run(runId), "events.ndjson"), `${JSON.stringify(event)}\n`);
    };
    let records: readonly StageRecord[];
    if (nothingToDo) records = plan.map((planned) => freshRecord(planned));
    else {
      emit(started);
      records = await executeRun(workspace, {
        pipeline,
        graph,
        plan,
        engines: new Map(),
        force,
        capacity: { cpus: given.jobs, memoryBytes: 0, gpus: 0 },
        keepGoing: true,
        runId,
        worker: "",
        environment: {},
        signal: given.signal,
        killSignal: new AbortController().signal,
        emit,
      });
    }
    this.#keepRecord(workspace, pipeline, records, { id: runId, startedAt, nothingToDo });
    workspace.memo.save();
    return records;
  }

  #keepRecord(
    workspace: Workspace,
    pipeline: Pipeline,
    records: readonly StageRecord[],
    { id, startedAt, nothingToDo }: { readonly id: string; readonly startedAt: string; readonly nothingToDo: boolean },
  ): void {
    const { files, layout, machine, version } = workspace;
    const { platform, architecture, cpu, cores, memoryBytes, node } = machine;
    const whole: RunRecord = {
      format: "tfpipe/run/1",
      id,
      pipeline: pipeline.name,
      profiles: [],
      params: {},
      startedAt,
      durationMs: 0,
      exitCode: records.every(({ outcome }) => ["ran", "fresh", "restored"].includes(outcome)) ? 0 : 1,
      stages: records,
      environment: { tfpipe: version, node, platform, architecture, cpu, cores, memoryBytes },
    };
    const fingerprints = new Map(
      records.flatMap(({ stage, fingerprint }) => (fingerprint === undefined ? [] : [[stage, fingerprint] as const])),
    );
    const last = readLastRun(workspace, pipeline);
    const isSame = nothingToDo && last?.runId !== undefined && last.runDigest === digestOfRun(fingerprints);
    const kept = isSame ? { ...whole, stages: [], sameAs: last.runId! } : whole;
    replaceFile(files, layout, join(layout.run(id), "run.json"), JSON.stringify(kept));
    if (nothingToDo && !isSame) writeLastRun(workspace, pipeline, id, fingerprints);
  }

  #open(theatre: PuppetTheatre | undefined, process: FileSystem, pid = 0): Workspace {
    const { disk } = this;
    const looks = createLookRecorder(process);
    const { files } = looks;
    const layout = openStoreLayout({
      files,
      root: `${ARTIFACTS}/.store`,
      unique: () => `${pid}-${++this.#names}`,
      isAbandoned: (name) => !this.#alive.has(Number(name.split("-")[0])),
    });
    const memo = createStatMemo({
      files: process,
      path: layout.memo("files"),
      tmp: layout.temporary,
      nowNs: () => disk.nowNs,
    });
    const objects = createObjectStore(files, layout, memo);
    const artifacts = createArtifactStore(files, objects);
    return {
      files,
      looks,
      paranoid: false,
      artifactsFolder: ARTIFACTS,
      layout,
      memo,
      artifacts,
      codeStore: createCodeStore(files, layout, objects),
      traces: createTraceStore(files, layout),
      ledger: createLedger(files, layout),
      checkpoints: createCheckpointStore(files, layout, artifacts),
      locks: createLocks({
        files,
        layout,
        self: { pid, identity: `p${pid}`, host: "here" },
        identify: (other) => (this.#alive.has(other) ? `p${other}` : undefined),
        every: (_ms, beat) => {
          this.#heartbeats.add(beat);
          return () => this.#heartbeats.delete(beat);
        },
      }),
      code: {
        digest: digestBytes(PUPPETS.map((type) => disk.readText(codePath(type)) ?? "").join("")),
        resolve(type) {
          const path = codePath(type);
          const digest = digestBytes(process.read(path));
          const listing = { modules: { [type]: digest } };
          return { digest, packages: {}, listing, entry: path, assets: {}, bundles: [{ path, digest, name: type }] };
        },
      },
      catalogue,
      engines: { resolve: () => ({ problem: "no engines here", help: "" }), flopsPerSecond: async () => undefined },
      machine: {
        platform: "puppet",
        architecture: "puppet",
        cpu: "puppet",
        cores: 2,
        memoryBytes: 0,
        node: "",
        instructions: "base",
      },
      searchPath: "",
      clock: {
        nowMs: () => ++this.#steps,
        date: () => new Date(Number(disk.nowNs / 1_000_000n)).toISOString(),
        wait: (ms) =>
          new Promise((resolve) =>
            setImmediate(() => {
              disk.advance(ms);
              for (const beat of this.#heartbeats) beat();
              resolve();
            }),
          ),
      },
      runWorker:
        theatre?.runWorker(files, disk) ??
        (() => {
          throw new Error("nothing is executed here");
        }),
      version: "0",
    };
  }
}

function codePath(type: string): string {
  return `${HOME}/code/${type}.mjs`;
}

function pipelineOf({ stages }: ModelProject): Pipeline {
  const span = { file: "", start: 0, end: 0 };
  return {
    name: "puppets",
    file: "puppets.yaml",
    folder: HOME,
    profiles: [],
    availableProfiles: [],
    params: {},
    stages: stages.map(({ name, type, text, note, fails, inputs }) => ({
      name,
      type,
      params: { text, stage: name, note, ...(fails ? { fails } : {}) },
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([port, source]): [string, InputSource] => [
          port,
          "stage" in source
            ? { from: "stage", ...source }
            : { from: "path", path: join(INPUTS, source.path), text: `./inputs/${source.path}` },
        ]),
      ),
      outputs,
      after: [],
      execution: { retries: 0, cache: true, frozen: false },
      env: {},
      facts: {},
      spans: { name: span, params: {}, inputs: {} },
    })),
  };
}

function freshRecord(planned: Awaited<ReturnType<typeof planRun>>[number]): StageRecord {
  const { stage, stageType, needs, reason, fingerprint, trace } = planned;
  return {
    stage,
    stageType,
    needs,
    outcome: "fresh",
    reason,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    durationMs: 0,
    params: {},
    outputs: trace!.outputs,
    metrics: {},
    measurements: {},
    warnings: [],
  };
}
