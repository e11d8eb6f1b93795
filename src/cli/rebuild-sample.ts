/**
 * `pipe check --rebuild 20%`: makes stages again that are locked, drawn at random, and compares what comes out with the
 * locked digests, which are those that an attestation signs. No store is needed: what a stage reads of others is taken from
 * the store where it is there and sound, and is made first where it is not. All of it is written beside the store and is
 * gone afterwards.
 *
 * A stage whose data, program or engine is not here is passed over, with the reason, and the next of the draw takes its
 * place: that so many as were asked for were made again is what the check promises.
 */
import type { OverlayStore } from "../cache/overlay-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { StageVerdict, StageVerification } from "../cache/verification.ts";
import { describe } from "../execute/lock-diagnostics.ts";
import { withOverlay } from "../execute/replay-stage.ts";
import { keyStageInputs } from "../execute/stage-inputs.ts";
import { makeStageKey } from "../execute/stage-key.ts";
import { verifyStage } from "../execute/verify-stage.ts";
import type { WorkerNews } from "../execute/worker-protocol.ts";
import type { Workspace } from "../execute/workspace.ts";
import { producersOf } from "../graph/stage-graph.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { diffLockedKeys, type LockedResults, type LockedStage, lockKey } from "../identity/lock.ts";
import type { EngineSetting, PipelineStage } from "../language/pipeline.ts";
import { formatPlural } from "../report/format-count.ts";
import { renderStageVerification } from "../report/render-verification.ts";
import type { App, ExitCode } from "./app.ts";
import type { CheckedPipeline } from "./check-results.ts";
import { holdStore } from "./hold-store.ts";
import { createProgressLine } from "./progress-line.ts";
import { drawingOrder, type RandomSample, sizeOfSample } from "./random-sample.ts";

/** A section of a lock that follows from the files here. */
export interface RebuildPart extends CheckedPipeline {
  /** `words@quick`. */
  readonly results: string;
  readonly locked: LockedResults;
}

export interface RebuiltSample {
  readonly sample: RandomSample;
  /** How many stages were asked for, of how many. */
  readonly wanted: number;
  readonly of: number;
  /** Those of the draw, and those that they needed. */
  readonly stages: readonly RebuiltStage[];
  readonly passedOver: readonly PassedOver[];
  readonly exitCode: ExitCode;
}

export type RebuiltStage = StageVerification & {
  readonly results: string;
  /** It was not drawn: a stage that was reads it. */
  readonly neededBy?: string;
};

export interface PassedOver {
  readonly results: string;
  readonly stage: string;
  readonly reason: string;
}

export async function rebuildSample(
  app: App,
  parts: readonly RebuildPart[],
  sample: RandomSample,
  { quiet }: { readonly quiet: boolean },
): Promise<RebuiltSample> {
  app.interrupts.listen();
  const drawn = parts.flatMap((part, at) =>
    part.graph.order.filter((name) => Object.hasOwn(part.locked.stages, name)).map((name) => ({ at, name })),
  );
  const wanted = sizeOfSample(drawn.length, sample);
  const stages: RebuiltStage[] = [];
  const passedOver: PassedOver[] = [];
  const lease = parts[0] === undefined ? undefined : holdStore(app, parts[0].workspace, "what is to be rebuilt");
  const done = new Set<string>();
  const rebuild = async (overlays: Overlays): Promise<void> => {
    const rebuilders = parts.map(
      (part) =>
        new Rebuilder(app, part, overlays.get(part.workspace.layout.root)!, (one) => {
          stages.push(one);
          if (!quiet) print(app, one, parts);
        }),
    );
    for (const place of drawingOrder(drawn.length, sample.seed, "rebuild")) {
      if (done.size === wanted || app.interrupts.stop.aborted) break;
      const { at, name } = drawn[place]!;
      const reason = await rebuilders[at]!.rebuild(name);
      if (reason === undefined) done.add(`${parts[at]!.results}/${name}`);
      else passedOver.push({ results: parts[at]!.results, stage: name, reason });
    }
  };
  try {
    const workspaces = parts.map(({ workspace }) => workspace);
    await withOverlays(workspaces, app.interrupts.kill, rebuild);
  } finally {
    lease?.release();
  }
  const exitCode = app.interrupts.stop.aborted ? 130 : exitCodeOf(stages, done.size, wanted);
  const rebuilt = {
    sample,
    wanted,
    of: drawn.length,
    // One that was needed may have been drawn later.
    stages: stages.map(({ neededBy, ...one }): RebuiltStage => {
      const isDrawn = neededBy === undefined || done.has(`${one.results}/${one.stage}`);
      return isDrawn ? one : { ...one, neededBy };
    }),
    passedOver,
    exitCode,
  };
  if (!quiet) printTotal(app, rebuilt, done.size);
  return rebuilt;
}

type Overlays = ReadonlyMap<string, OverlayStore>;

/** One for each store, by its folder. */
async function withOverlays(
  workspaces: readonly Workspace[],
  killSignal: AbortSignal,
  work: (overlays: Overlays) => Promise<void>,
  made: Overlays = new Map(),
): Promise<void> {
  const next = workspaces.find(({ layout }) => !made.has(layout.root));
  if (next === undefined) return work(made);
  const { root } = next.layout;
  return withOverlay(next, killSignal, (overlay) =>
    withOverlays(workspaces, killSignal, work, new Map([...made, [root, overlay]])),
  );
}

function exitCodeOf(stages: readonly RebuiltStage[], done: number, wanted: number): ExitCode {
  if (stages.some((one) => one.verdict === "differs" && one.waived === undefined)) return 4;
  if (stages.some(({ verdict }) => verdict === "failed")) return 1;
  return done < wanted ? 4 : 0;
}

class Rebuilder {
  readonly #app: App;
  readonly #part: RebuildPart;
  readonly #stages: ReadonlyMap<string, PipelineStage>;
  readonly #overlay: OverlayStore;
  /** The store, and over it what was made again. */
  readonly #workspace: Workspace;
  readonly #onStage: (stage: RebuiltStage) => void;
  /** Why a stage was not made again; undefined of one that was. */
  readonly #done = new Map<string, string | undefined>();

  constructor(app: App, part: RebuildPart, overlay: OverlayStore, onStage: (stage: RebuiltStage) => void) {
    this.#app = app;
    this.#part = part;
    this.#stages = new Map(part.pipeline.stages.map((stage) => [stage.name, stage]));
    this.#overlay = overlay;
    this.#workspace = { ...part.workspace, ...overlay };
    this.#onStage = onStage;
  }

  /** Undefined where it was made again, whatever came out; else why it cannot be here. */
  async rebuild(name: string, neededBy?: string): Promise<string | undefined> {
    if (this.#done.has(name)) return this.#done.get(name);
    const reason = (await this.#findObstacle(name)) ?? (await this.#make(name, neededBy));
    this.#done.set(name, reason);
    return reason;
  }

  /** Asked before anything runs, so that no hours are spent on what a stage needs that cannot run then. */
  async #findObstacle(name: string): Promise<string | undefined> {
    const stage = this.#stages.get(name)!;
    const { frozen, cache } = stage.execution;
    if (frozen) return "it is frozen, so what it would make now may be another thing";
    if (!cache) return "it runs each time (cache: false), so it may make something else";
    for (const part of this.#part.unchecked) {
      if (part.stage !== name) continue;
      if (part.part === "input") return `its input ${part.path} is not here`;
      if (part.part === "tool") return `the program ${part.name} is ${part.found ? "another one" : "not"} here`;
    }
    const engine = this.#findEngineObstacle(stage);
    if (engine !== undefined) return engine;
    for (const producer of await this.#missing(stage)) {
      const reason = this.#done.has(producer) ? this.#done.get(producer) : await this.#findObstacle(producer);
      if (reason !== undefined) return `it reads ${producer}, which is not in the store: ${reason}`;
    }
    return undefined;
  }

  #findEngineObstacle(stage: PipelineStage): string | undefined {
    if (stage.engine === undefined) return undefined;
    const { engine: name = "", version = "" } = this.#locked(stage.name).key.numerics;
    const here = this.#resolveEngine(stage)!;
    if ("problem" in here) return `the engine ${name} ${here.problem}`;
    if (here.name === name && here.version === version) return undefined;
    return `it was computed on ${name} ${version}; here it would be ${here.name} ${here.version}`;
  }

  /** What it was locked on, also where the pipeline leaves the choice to the machine. */
  #resolveEngine({ name, engine }: PipelineStage): ReturnType<Workspace["engines"]["resolve"]> | undefined {
    if (engine === undefined) return undefined;
    const locked = this.#locked(name).key.numerics.engine as EngineSetting["name"] | undefined;
    return this.#workspace.engines.resolve({ ...engine, name: locked ?? engine.name });
  }

  /** Stages that it reads, of which the store has not all that is locked. */
  async #missing(stage: PipelineStage): Promise<readonly string[]> {
    const missing = new Set<string>();
    for (const { stage: producer, output } of Object.values(stage.inputs).flatMap(producersOf)) {
      const { digest } = this.#locked(producer).outputs[output]!;
      if ((await this.#workspace.artifacts.inspect(digest, true)) !== undefined) missing.add(producer);
    }
    return [...missing];
  }

  #locked(name: string): LockedStage {
    return this.#part.locked.stages[name]!;
  }

  async #make(name: string, neededBy: string | undefined): Promise<string | undefined> {
    const stage = this.#stages.get(name)!;
    for (const producer of await this.#missing(stage)) {
      const reason = await this.rebuild(producer, name);
      if (reason !== undefined) return `it reads ${producer}: ${reason}`;
    }
    if (this.#app.interrupts.stop.aborted) return "it was stopped before";
    const [lost] = await this.#missing(stage);
    if (lost !== undefined) return `it reads ${lost}, which did not come out as it is locked`;
    const trace = await this.#traceOf(stage);
    if (typeof trace === "string") return trace;
    const verdict = await this.#verify(stage, trace);
    // It cannot be put together after all.
    if (verdict.verdict === "unchecked") return verdict.reason;
    this.#onStage({
      stage: name,
      stageType: stage.type,
      fingerprint: trace.fingerprint,
      results: this.#part.results,
      ...(neededBy === undefined ? {} : { neededBy }),
      ...verdict,
    });
    return verdict.verdict === "interrupted" ? "it was stopped" : undefined;
  }

  /** What is locked, with the key that the files here have for it; or why they have another one. */
  async #traceOf(stage: PipelineStage): Promise<Trace | string> {
    const locked = this.#locked(stage.name);
    const engine = this.#resolveEngine(stage);
    if (engine !== undefined && "problem" in engine) return engine.problem;
    try {
      const inputs = await keyStageInputs(
        this.#workspace,
        stage,
        (producer, output) => this.#locked(producer).outputs[output]!,
      );
      const key = makeStageKey(this.#workspace, { stage, pipelineFolder: this.#part.pipeline.folder, inputs, engine });
      if (key.fingerprint !== locked.fingerprint) {
        const [first] = diffLockedKeys(locked.key, lockKey(stage, key));
        return `it cannot be made from what it was made from: ${first === undefined ? "its key" : describe(first, stage)}`;
      }
      const { manifest, code } = key;
      const outputs = Object.entries(locked.outputs).map(([name, output]) => [name, { ...output, facts: {} }]);
      return {
        format: "tfpipe/trace/1",
        fingerprint: key.fingerprint,
        manifest,
        code,
        outputs: Object.fromEntries(outputs),
        durationMs: 0,
        metrics: locked.metrics,
        measurements: {},
        warnings: [],
        platformClass: locked.machine,
        runId: "locked",
        madeAt: "",
      };
    } catch (error) {
      if (error instanceof UnfitForArtifact) return error.message;
      throw error;
    }
  }

  async #verify(stage: PipelineStage, trace: Trace): Promise<StageVerdict> {
    const { err, nowMs, comparer, worker, environment, interrupts } = this.#app;
    const line = createProgressLine(err, nowMs);
    if (err.isTerminal) line.show({ phase: `${stage.name} is rebuilt`, done: 0, unit: "" });
    try {
      const { verdict } = await verifyStage(this.#workspace, {
        stage,
        traces: [trace],
        pipelineFolder: this.#part.pipeline.folder,
        lookups: [(producer, output) => this.#part.locked.stages[producer]?.outputs[output]],
        overlay: this.#overlay,
        comparer,
        worker,
        environment,
        signal: interrupts.stop,
        killSignal: interrupts.kill,
        onMessage(message: WorkerNews) {
          if (message.type === "progress")
            line.show({ ...message.progress, phase: `${stage.name}: ${message.progress.phase}` });
        },
      });
      return verdict;
    } finally {
      line.end();
    }
  }
}

/** The stage's name, with that of the results where there are several. */
function shown({ results, stage }: { readonly results: string; readonly stage: string }, count: number): string {
  return count > 1 ? `${results}/${stage}` : stage;
}

function print(app: App, one: RebuiltStage, parts: readonly RebuildPart[]): void {
  const style = { color: app.out.color, columns: app.out.columns() };
  const names = parts.flatMap(({ results, pipeline }) =>
    pipeline.stages.map(({ name }) => ({ stage: shown({ results, stage: name }, parts.length) })),
  );
  app.out.write(`${renderStageVerification({ ...one, stage: shown(one, parts.length) }, names, style)}\n`);
}

function printTotal(app: App, { sample, wanted, of, stages, passedOver }: RebuiltSample, done: number): void {
  const several = new Set([...stages, ...passedOver].map(({ results }) => results)).size;
  for (const one of passedOver) app.out.write(`  passed over: ${shown(one, several)}: ${one.reason}\n`);
  const percent = Math.round(sample.share * 10_000) / 100;
  const count = (verdict: StageVerdict["verdict"]) => stages.filter((one) => one.verdict === verdict).length;
  const parts = [
    `${count("identical")} identical`,
    ...(count("differs") === 0 ? [] : [`${count("differs")} ${count("differs") === 1 ? "differs" : "differ"}`]),
    ...(count("failed") === 0 ? [] : [`${count("failed")} failed`]),
  ];
  const needed = stages.filter(({ neededBy }) => neededBy !== undefined).length;
  const also = needed === 0 ? "" : `, with ${needed} that ${done === 1 ? "it needs" : "they need"}`;
  app.out.write(
    `rebuilt ${done} of ${formatPlural(of, "stage")}${also}: ${parts.join(", ")} (--rebuild ${percent}% --seed ${sample.seed})\n`,
  );
  if (done < wanted && !app.interrupts.stop.aborted)
    app.err.write(
      `error: ${formatPlural(wanted, "stage")} ${wanted === 1 ? "was" : "were"} to be rebuilt, and ${done === 0 ? "none" : `only ${done}`} could be here\n` +
        "  help: rebuild where their data and engine are, or ask for a smaller share\n",
    );
}
