/**
 * What a run would do, per stage, and why. Reads the store and the user's files; changes nothing.
 *
 * A stage that waits for another one's outputs is compared as if those were what they were last time: then it runs only
 * if they change, or whatever they will be.
 */
import { join } from "node:path";
import type { ArtifactReference } from "../cache/artifact-store.ts";
import { resultOf, type Trace, type TracedResult, type TraceStore } from "../cache/trace-store.ts";
import { producersOf, type StageGraph } from "../graph/stage-graph.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { digestBytes } from "../identity/digest.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { PlannedStage } from "../record.ts";
import { decideStage, describeDifferences, explainKey, NothingFrozen } from "./decide.ts";
import { engineRecord, type ResolvedEngine } from "./engine-port.ts";
import { type FreshMemo, openFreshMemo } from "./fresh-memo.ts";
import { pipelineFolderName, readLastRun } from "./last-run.ts";
import { markNondeterminism } from "./nondeterminism.ts";
import { keyStageInputs } from "./stage-inputs.ts";
import { makeStageKey, type StageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

export interface PlanRequest {
  readonly pipeline: Pipeline;
  /** Equal of two plans: the same program made the same pipeline. Left out: nothing is remembered. */
  readonly identity?: string;
  readonly graph: StageGraph;
  /** In the order they would run. */
  readonly stages: readonly string[];
  /** By stage, where the stage type computes. */
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly force: ReadonlySet<string>;
}

export interface DetailedStage extends PlannedStage {
  /** Of a stage that waits: in what it differs whatever it waits for. */
  readonly differences: readonly KeyDifference[];
  /** Where it is fresh or will be restored. */
  readonly trace?: TracedResult;
  /** Why a run cannot begin: it is frozen, and has nothing to keep. */
  readonly refusal?: { readonly message: string; readonly help: string };
}

export async function planRun(workspace: Workspace, request: PlanRequest): Promise<readonly DetailedStage[]> {
  const memo = openMemo(workspace, request);
  const planner = new Planner(workspace, request, memo);
  const planned: DetailedStage[] = [];
  for (const name of request.stages) planned.push(await planner.plan(name));
  memo?.save();
  return markNondeterminism(workspace.ledger, request.pipeline, planned);
}

function openMemo(workspace: Workspace, { pipeline, identity }: PlanRequest): FreshMemo | undefined {
  if (identity === undefined) return undefined;
  const { files, layout, code, machine, artifactsFolder, paranoid, clock } = workspace;
  const { platform, architecture, instructions } = machine;
  const context = [identity, code.digest, platform, architecture, instructions, artifactsFolder];
  return openFreshMemo({
    files,
    layout,
    name: pipelineFolderName(pipeline),
    context: digestBytes(JSON.stringify(context)),
    nowNs: BigInt(Date.parse(clock.date())) * 1_000_000n,
    paranoid,
  });
}

/** Finds what each stage gives, in their order: the outputs known so far are its state. */
class Planner {
  readonly #shared: Workspace;
  readonly #request: PlanRequest;
  readonly #memo: FreshMemo | undefined;
  /** For one stage: what is remembered of it must name all that was read for it. */
  #workspace: Workspace;
  readonly #folder: string;
  readonly #last: Readonly<Record<string, string>>;
  readonly #stages: ReadonlyMap<string, PipelineStage>;
  readonly #known = new Map<string, Trace["outputs"]>();

  constructor(workspace: Workspace, request: PlanRequest, memo: FreshMemo | undefined) {
    const { pipeline } = request;
    this.#shared = workspace;
    this.#workspace = workspace;
    this.#request = request;
    this.#memo = memo;
    this.#folder = join(workspace.artifactsFolder, pipelineFolderName(pipeline));
    this.#last = readLastRun(workspace, pipeline)?.stages ?? {};
    this.#stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  }

  async plan(name: string): Promise<DetailedStage> {
    const stage = this.#stages.get(name)!;
    const waits = this.#waitsOf(stage, this.#request.graph.needs.get(name)!);
    this.#workspace = { ...this.#shared, traces: readOnce(this.#shared.traces) };
    const planned = (await this.#recall(stage, waits)) ?? (await this.#decide(stage, waits));
    if (planned.trace !== undefined) this.#known.set(name, planned.trace.outputs);
    return planned;
  }

  /** From memory where that can be; what is found fresh the long way is remembered. */
  async #recall(stage: PipelineStage, waits: readonly string[]): Promise<DetailedStage | undefined> {
    const memo = this.#memo;
    const last = this.#last[stage.name];
    const reads = this.#readsOf(stage);
    const { cache, frozen } = stage.execution;
    const isPlain = cache && !frozen && waits.length === 0 && !this.#request.force.has(stage.name);
    if (memo === undefined || last === undefined || reads === undefined || !isPlain) return undefined;
    const known = memo.recall(stage.name, reads, last);
    if (known !== undefined) {
      const { reason, expectedMs, trace } = known;
      const { fingerprint } = trace;
      return { ...this.#common(stage), expectedMs, decision: "fresh", reason, differences: [], trace, fingerprint };
    }
    const { value, looks } = await this.#shared.looks.record(() => this.#decide(stage, waits));
    const { decision, reason, expectedMs, trace } = value;
    if (decision === "fresh" && trace?.fingerprint === last && expectedMs !== undefined)
      memo.note(stage.name, reads, { reason, expectedMs, trace }, looks);
    return value;
  }

  /** What the stage gets from others, and its engine, as far as they count. Undefined where that is not known. */
  #readsOf({ name, inputs }: PipelineStage): string | undefined {
    const engine = this.#request.engines.get(name);
    const reads = engine === undefined ? [] : [JSON.stringify(engine)];
    for (const { stage, output } of Object.values(inputs).flatMap(producersOf)) {
      const made = this.#known.get(stage)?.[output];
      if (made === undefined) return undefined;
      reads.push(`${made.kind} ${made.digest}`);
    }
    return reads.join("\n");
  }

  #common({ name, type }: PipelineStage): Pick<DetailedStage, "stage" | "stageType" | "needs" | "engine"> {
    const { graph, engines } = this.#request;
    const engine = engines.get(name);
    return {
      stage: name,
      stageType: type,
      needs: graph.needs.get(name)!,
      ...(engine === undefined ? {} : { engine: engineRecord(engine) }),
    };
  }

  async #decide(stage: PipelineStage, waits: readonly string[]): Promise<DetailedStage> {
    const { name } = stage;
    const lastFingerprint = this.#last[name];
    const expectedMs = this.#lastTrace(name)?.durationMs;
    const force = this.#request.force.has(name);
    const isFrozen = stage.execution.frozen && !force;
    const common = {
      ...this.#common(stage),
      ...(isFrozen ? { frozen: true as const } : {}),
      ...(expectedMs === undefined ? {} : { expectedMs }),
    };
    const run = (reason: string): DetailedStage => ({ ...common, decision: "run", reason, differences: [] });

    // Nothing to compare with: its files need not be read before their time.
    const key = waits.length > 0 && lastFingerprint === undefined ? undefined : await this.#key(stage);
    if (waits.length > 0 && !isFrozen) {
      if (force) return run("forced");
      if (!stage.execution.cache) return run("runs each time (cache: false)");
      return { ...common, decision: "pending", ...this.#describePending(stage, key, waits) };
    }
    if (typeof key === "string" && !isFrozen) return run(key);
    try {
      const isCertain = waits.length === 0 || (typeof key === "object" && key.fingerprint !== lastFingerprint);
      const { trace, ...decided } = await decideStage(this.#workspace, {
        stage,
        key: isCertain && typeof key === "object" ? key : undefined,
        lastFingerprint,
        folder: this.#folder,
        force,
      });
      const fingerprint = trace?.fingerprint ?? (typeof key === "object" ? key.fingerprint : undefined);
      return {
        ...common,
        ...decided,
        ...(trace === undefined ? {} : { trace: resultOf(trace) }),
        ...(fingerprint === undefined ? {} : { fingerprint }),
      };
    } catch (error) {
      if (!(error instanceof NothingFrozen)) throw error;
      const { message, help } = error;
      return { ...run(message), refusal: { message, help } };
    }
  }

  /** Stages that must run before it is known what this one reads. What it only comes after may write what it reads by path. */
  #waitsOf(stage: PipelineStage, needs: readonly string[]): readonly string[] {
    const waits = needs.filter((need) => !this.#known.has(need));
    if (waits.length === 0) return waits;
    const sources = Object.values(stage.inputs);
    if (sources.some(({ from }) => from === "path")) return waits;
    const read = new Set(sources.flatMap(producersOf).map((made) => made.stage));
    return waits.filter((need) => read.has(need));
  }

  #describePending(
    stage: PipelineStage,
    key: StageKey | string | undefined,
    waits: readonly string[],
  ): Pick<DetailedStage, "reason" | "differences"> {
    const lastFingerprint = this.#last[stage.name];
    const list = waits.join(", ");
    if (lastFingerprint === undefined) return { reason: `never run; waits for ${list}`, differences: [] };
    if (typeof key === "string") return { reason: `${key}; waits for ${list}`, differences: [] };
    if (key === undefined || this.#lastTrace(stage.name) === undefined)
      return { reason: `waits for ${list}`, differences: [] };
    const differences = explainKey(this.#workspace, key, lastFingerprint);
    if (differences.length === 0)
      return { reason: `runs only if ${waits.join(" or ")} changes its output`, differences };
    return { reason: `${describeDifferences(differences, stage)}; waits for ${list}`, differences };
  }

  /** With the last outputs of what has yet to run. Undefined where there are none; text where a path cannot be read. */
  async #key(stage: PipelineStage): Promise<StageKey | string | undefined> {
    const { pipeline, engines } = this.#request;
    const outputOf = (name: string, output: string): ArtifactReference => {
      const found = (this.#known.get(name) ?? this.#lastTrace(name)?.outputs)?.[output];
      if (found === undefined) throw new NeverMade();
      return found;
    };
    try {
      const inputs = await keyStageInputs(this.#workspace, stage, outputOf);
      const engine = engines.get(stage.name);
      return makeStageKey(this.#workspace, { stage, pipelineFolder: pipeline.folder, inputs, engine });
    } catch (error) {
      if (error instanceof UnfitForArtifact) return error.message;
      if (error instanceof NeverMade) return undefined;
      throw error;
    }
  }

  #lastTrace(name: string): Trace | undefined {
    const fingerprint = this.#last[name];
    return fingerprint === undefined ? undefined : this.#workspace.traces.find(fingerprint)[0];
  }
}

class NeverMade extends Error {}

/** The traces of most fingerprints are asked for several times, and a plan is made of one moment. */
function readOnce(traces: TraceStore): TraceStore {
  const found = new Map<string, readonly Trace[]>();
  return {
    ...traces,
    find(fingerprint) {
      const before = found.get(fingerprint);
      if (before !== undefined) return before;
      const read = traces.find(fingerprint);
      found.set(fingerprint, read);
      return read;
    },
  };
}
