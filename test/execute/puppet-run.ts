/**
 * Pipelines of puppet stages, run by the real planner, executor, store and worker process. A puppet writes what its params
 * say and what its inputs hold, and does mischief where told so.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createWorkspace } from "../../src/compose-workspace.ts";
import type { StageDefinition } from "../../src/contract.ts";
import type { RunEvent } from "../../src/events.ts";
import { executeRun } from "../../src/execute/executor.ts";
import { type DetailedStage, planRun } from "../../src/execute/plan.ts";
import type { Resources } from "../../src/execute/token-pool.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { buildStageGraph } from "../../src/graph/stage-graph.ts";
import { digestOfCode } from "../../src/identity/code-library.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import type { JsonObject, JsonValue } from "../../src/json.ts";
import type { ExecutionSettings, InputSource, Pipeline, StageCatalogue } from "../../src/language/pipeline.ts";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { describeMachine, type Machine } from "../../src/platform/machine.ts";
import type { StageRecord } from "../../src/record.ts";

const worker = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "dist", "worker.js");

const PUPPET = `
import { readFileSync, writeFileSync, chmodSync } from "node:fs";
import { randomBytes } from "node:crypto";
export const puppet = { type: "puppet", async run({ params, inputs, outputs, checkpoints, log }) {
  const read = (artifact) => artifact.files.map((file) => readFileSync(artifact.path(file.path), "utf8")).join("");
  const parts = Object.keys(inputs).sort().map((port) => port + "(" + read(inputs[port]) + ")");
  if (params.tell) log("ready " + process.pid);
  if (params.remember) {
    log((await checkpoints.find("state")) === undefined ? "began" : "went on");
    await checkpoints.save("state", async (folder) => writeFileSync(folder + "/state", "1"));
  }
  if (params.failUntil) {
    const { existsSync, writeFileSync: write } = await import("node:fs");
    if (!existsSync(params.failUntil)) { write(params.failUntil, ""); const error = new Error("not yet"); error.name = "StageFailure"; throw error; }
  }
  if (params.waitFor) {
    const { existsSync } = await import("node:fs");
    while (!existsSync(params.waitFor)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (params.chain) {
    const { existsSync } = await import("node:fs");
    const key = (epoch) => params.chain.slice(0, epoch);
    let done = params.chain.length;
    while (done > 0 && (await checkpoints.find(key(done))) === undefined) done--;
    while (done < params.chain.length) {
      const { gate } = params;
      if (gate?.epoch === done + 1) {
        if (gate.write) writeFileSync(gate.write, "");
        while (gate.wait && !existsSync(gate.wait)) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      if (done > 0) await checkpoints.mark(key(done - 1), "expendable");
      if (params.dieAt === done + 1) { process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); }
      done++;
      await checkpoints.save(key(done), async (folder) => writeFileSync(folder + "/state.txt", key(done).join("/")));
      log("epoch " + key(done).join("/"));
    }
  }
  if (params.hang) await new Promise(() => setInterval(() => {}, 1e6));
  if (params.die) { process.kill(process.pid, params.die); await new Promise(() => setInterval(() => {}, 1e6)); }
  if (params.fail) { const error = new Error("told to fail"); error.name = "StageFailure"; throw error; }
  if (params.spoilInput) { const path = inputs[params.spoilInput].path(params.spoilFile ?? ""); chmodSync(path, 0o644); writeFileSync(path, "spoilt"); }
  if (params.reference) outputs.out.reference("base", { kind: "file", digest: params.reference });
  if (params.silent) return;
  writeFileSync(outputs.out.folder + "/out.txt", (params.random ? randomBytes(8).toString("hex") : params.text) + parts.join(""));
  log("wrote");
} };
`;

const definition: StageDefinition = {
  type: "puppet",
  description: "Does what it is told.",
  inputs: { "*": { kind: "any", description: "Anything." } },
  outputs: { out: { kind: "file", description: "What it wrote." } },
  async foresee({ params, checkpoints }) {
    if (!Array.isArray(params.chain)) return undefined;
    const links = params.chain.map((_, i) => (params.chain as readonly JsonValue[]).slice(0, i + 1));
    let done = links.length;
    while (done > 0 && (await checkpoints.find(links[done - 1]!)) === undefined) done--;
    return {
      text: `goes on after ${done}`,
      found: done > 0,
      makes: links.slice(done),
      needs: links.slice(Math.max(0, done - 1), done),
    };
  },
  run: async () => {},
};
const schema: JsonObject = {
  properties: {
    note: { "x-role": "execution" },
    dieAt: { "x-role": "execution" },
    chain: { "x-role": "perEpoch" },
    gate: { "x-role": "perEpoch" },
  },
};
const catalogue: StageCatalogue = new Map([["puppet", { definition, schema }]]);

export interface PuppetStage {
  readonly params: JsonObject;
  /** Stage names, or paths that begin with `/`, by port. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly after?: readonly string[];
  readonly execution?: Partial<ExecutionSettings>;
}

export interface PuppetRunResult {
  readonly records: readonly StageRecord[];
  readonly outcomes: Readonly<Record<string, string>>;
  readonly events: readonly RunEvent[];
  readonly warnings: readonly string[];
}

export class PuppetRunner {
  readonly folder = mkdtempSync(join(tmpdir(), "puppets-"));
  #count = 0;

  constructor() {
    mkdirSync(join(this.folder, "code"));
    writeFileSync(join(this.folder, "code", "puppet.mjs"), PUPPET);
  }

  /** The code as it is from the next workspace on; nothing but the store has what it was. */
  editCode(from: string, to: string): void {
    const path = join(this.folder, "code", "puppet.mjs");
    const before = readFileSync(path, "utf8");
    const after = before.replace(from, to);
    if (after === before) throw new Error(`the puppet has no ${from}`);
    writeFileSync(path, after);
  }

  async workspace(files: FileSystem = nodeFileSystem, machine: Machine = describeMachine()): Promise<Workspace> {
    const entry = join(this.folder, "code", "puppet.mjs");
    writeFileSync(
      join(this.folder, "code", "code.json"),
      JSON.stringify({ format: "tfpipe/code/1", stages: {}, engines: {} }),
    );
    const workspace = await createWorkspace({
      files,
      artifactsFolder: join(this.folder, "artifacts"),
      paranoid: false,
      codeFolder: join(this.folder, "code"),
      sources: undefined,
      catalogue,
      engines: { resolve: () => ({ problem: "no engines here", help: "" }), flopsPerSecond: async () => undefined },
      machine,
      version: "0",
      unique: () => `u${++this.#count}`,
      isAbandoned: () => false,
      nowMs: () => performance.now(),
      pid: process.pid,
      host: "here",
    });
    const module = digestBytes(readFileSync(entry));
    const digest = digestOfCode({ entry: module, assets: {} });
    const code = {
      digest,
      resolve: () => ({
        digest,
        packages: {},
        listing: { modules: { puppet: module } },
        entry,
        assets: {},
        bundles: [{ path: entry, digest: module, name: "puppet.mjs" }],
      }),
    };
    return { ...workspace, code };
  }

  pipeline(stages: Readonly<Record<string, PuppetStage>>, name = "puppets"): Pipeline {
    const span = { file: "", start: 0, end: 0 };
    const source = (text: string): InputSource =>
      text.startsWith("/") ? { from: "path", path: text, text } : { from: "stage", stage: text, output: "out" };
    return {
      name,
      file: "puppets.yaml",
      folder: this.folder,
      profiles: [],
      availableProfiles: [],
      params: {},
      stages: Object.entries(stages).map(([stage, { params, inputs = {}, after = [], execution = {} }]) => ({
        name: stage,
        type: "puppet",
        params,
        inputs: Object.fromEntries(Object.entries(inputs).map(([port, text]) => [port, source(text)])),
        outputs: definition.outputs as Readonly<Record<string, { kind: string; description: string }>>,
        after,
        execution: { retries: 0, cache: true, frozen: false, ...execution },
        env: {},
        facts: {},
        spans: { name: span, params: {}, inputs: {} },
      })),
    };
  }

  async planned(
    stages: Readonly<Record<string, PuppetStage>>,
    { workspace, force = [], name }: { workspace?: Workspace; force?: readonly string[]; name?: string } = {},
  ): Promise<readonly DetailedStage[]> {
    const pipeline = this.pipeline(stages, name);
    const graph = buildStageGraph(pipeline);
    const identity = digestBytes(JSON.stringify(pipeline));
    const request = { pipeline, identity, graph, stages: graph.order, engines: new Map(), force: new Set(force) };
    return planRun(workspace ?? (await this.workspace()), request);
  }

  /** Decision by stage. */
  async plan(
    stages: Readonly<Record<string, PuppetStage>>,
    workspace?: Workspace,
  ): Promise<Readonly<Record<string, string>>> {
    const planned = await this.planned(stages, workspace === undefined ? {} : { workspace });
    return Object.fromEntries(planned.map(({ stage, decision }) => [stage, decision]));
  }

  async run(
    stages: Readonly<Record<string, PuppetStage>>,
    options: {
      force?: readonly string[];
      keepGoing?: boolean;
      workspace?: Workspace;
      jobs?: number;
      capacity?: Resources;
      /** The pipeline's. */
      name?: string;
      signal?: AbortSignal;
      onEvent?: (event: RunEvent) => void;
    } = {},
  ): Promise<PuppetRunResult> {
    const workspace = options.workspace ?? (await this.workspace());
    const plan = await this.planned(stages, { ...options, workspace });
    const pipeline = this.pipeline(stages, options.name);
    const events: RunEvent[] = [];
    const records = await executeRun(workspace, {
      pipeline,
      graph: buildStageGraph(pipeline),
      plan,
      engines: new Map(),
      force: new Set(options.force ?? []),
      capacity: options.capacity ?? { cpus: options.jobs ?? 2, memoryBytes: 0, gpus: 0 },
      keepGoing: options.keepGoing ?? false,
      runId: `run${++this.#count}`,
      worker,
      environment: process.env,
      signal: options.signal ?? new AbortController().signal,
      killSignal: new AbortController().signal,
      emit(event) {
        events.push(event);
        options.onEvent?.(event);
      },
    });
    return {
      records,
      events,
      outcomes: Object.fromEntries(records.map(({ stage, outcome }) => [stage, outcome])),
      warnings: events.flatMap((event) => (event.type === "warned" ? [event.message] : [])),
    };
  }

  /** What people see of a stage. */
  visible(stage: string, name = "puppets"): string {
    return readFileSync(join(this.folder, "artifacts", name, stage, "out", "out.txt"), "utf8");
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
