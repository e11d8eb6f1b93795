/**
 * What a stage may see, and nothing else: typed params, read-only inputs, an empty folder per output, numbers drawn
 * from its own seed, and ways to tell what is happening. A stage that keeps to this is a function of its key manifest,
 * and only then may its outputs be cached.
 *
 * This file is a leaf: stages, workers and the planner all import it; it imports only other leaves.
 */
import type { JsonObject, JsonValue } from "./json.ts";
import type { Rng } from "./rng.ts";

export type { JsonObject, JsonValue } from "./json.ts";
export type { Rng } from "./rng.ts";

/** What an output is, so that it can be connected only to an input that takes it. Built-in kinds are listed in ARCHITECTURE.md. */
export type ArtifactKind = string;

export interface InputPort {
  /** The kind, or kinds, that may be connected. `"any"` takes every kind, and paths. */
  readonly kind: ArtifactKind | readonly ArtifactKind[];
  readonly optional?: true;
  /**
   * Also takes `stage@*`, one output of every instance of a matrix, each of the port's kind. It arrives as an artifact
   * without files whose `references` are the instances' outputs, by the instances' values (`lr=0.1,seed=2`).
   */
  readonly many?: true;
  readonly description: string;
}

export interface OutputPort {
  readonly kind: ArtifactKind;
  /** `stage` alone means this output. A stage with one output needs no mark. */
  readonly primary?: true;
  /**
   * Which files are copied to the visible folder. Left out: all of them. Large artifacts (datasets, checkpoints) stay
   * in the store and show a card.
   */
  readonly visible?: readonly string[];
  readonly description: string;
}

/** What can be known about an artifact before anything runs, such as its number of classes. Unknown members are absent. */
export type Facts = JsonObject;

/** Something wrong with a stage's params or connections that its schema cannot say. */
export interface StageProblem {
  /** Where in the stage: `["with", "layers", 2]`, `["inputs", "weights"]`. The closest existing part is marked. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly help?: string;
}

export interface CheckContext<Params> {
  readonly params: Params;
  /** Facts by connected input port. A port that is not connected is absent. */
  readonly inputs: Readonly<Record<string, Facts>>;
}

export interface StageDefinition<Params = JsonObject, Engine = unknown> {
  readonly type: string;
  /** One sentence for `--help`, the report and the schema. */
  readonly description: string;
  /**
   * Of a user's own stage: the JSON Schema (draft-07) of its params, or its file's path relative to the module. Without
   * one the stage has no settings. The stage types of the package have theirs in `schemas/`.
   */
  readonly schema?: JsonObject | string;
  /**
   * Input ports by name. The name `*` takes any name that is not listed (so `normalize` can take train, valid, test or
   * whatever there is).
   */
  readonly inputs: Readonly<Record<string, InputPort>>;
  /** Output ports by name, or how they follow from the params and from the names of the connected inputs. */
  readonly outputs:
    | Readonly<Record<string, OutputPort>>
    | ((params: Params, connected: readonly string[]) => Readonly<Record<string, OutputPort>>);
  /** The stage computes on an engine: its numerics enter the key, and `ctx.engine` is there. */
  readonly computes?: true;
  /**
   * Files the stage reads beside its code, by name; paths relative to the stage's module. A `.ts` file is bundled as a
   * worker-thread module; anything else is copied. All enter the code digest; `ctx.asset(name)` gives the path.
   */
  readonly assets?: Readonly<Record<string, string>>;
  /** Problems that need code to be found. Runs at check time: pure, and quick. */
  check?(context: CheckContext<Params>): readonly StageProblem[];
  /** What will be known about each output. Pure, and quick. */
  describe?(context: CheckContext<Params>): Readonly<Record<string, Facts>>;
  /** Floating-point operations the stage will take, where that can be known: what an ETA is made of before the first run. */
  estimate?(context: CheckContext<Params>): Promise<number | undefined>;
  /**
   * What a run would go on from; undefined where that cannot be told. Reads only, and quickly: every plan in which the
   * stage runs asks for it.
   */
  foresee?(context: ForesightContext<Params>): Promise<Foresight | undefined>;
  /**
   * What an execution consists of where it can be executed in parts, each from a checkpoint to the next one: the epochs of
   * a training, as far as its checkpoints tell, in order. Reads only.
   */
  stretches?(context: ForesightContext<Params>): Promise<readonly Stretch[]>;
  run(context: StageContext<Params, Engine>): Promise<void>;
}

/** Declares a stage type. The identity function, for its types: `defineStage<TrainParams, Engine>({ ... })`. */
export function defineStage<Params = JsonObject, Engine = unknown>(
  definition: StageDefinition<Params, Engine>,
): StageDefinition<Params, Engine> {
  return definition;
}

/** An immutable value on an output: a file or a folder, named by the digest of its content. Read-only. */
export interface Artifact {
  readonly kind: ArtifactKind;
  /** sha256, hex. */
  readonly digest: string;
  /** Relative paths with `/`, in code-unit order. A file artifact has the one path `""`. */
  readonly files: readonly ArtifactFile[];
  /** Absolute path to read a file of it. Throws when there is no such file. Never write there. */
  path(file?: string): string;
  /** Artifacts that this one builds upon, as its writer named them. */
  readonly references: Readonly<Record<string, Artifact>>;
}

export interface ArtifactFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

export interface OutputFolder {
  /** Absolute path of an empty folder. What is in it when `run` resolves is the artifact. */
  readonly folder: string;
  /**
   * Makes this artifact build upon another one under `name`: its digest counts in this one's, its bytes are not copied.
   * Only inputs of this stage, or what they reference, may be named.
   */
  reference(name: string, artifact: Artifact): void;
}

/**
 * How far a stage is. `done` of `total` spans what is left to do as far as it is known (all epochs, not this one), so that
 * bar and ETA do too; where `done` falls or `total` changes, another stretch begins. `figures` are numbers worth watching
 * (loss, accuracy, imagesPerSecond), by name; units are read off the name, and `etaSeconds` overrides the runner's own guess.
 */
export interface Progress {
  /** What is going on: `downloading`, `epoch 3/50`. */
  readonly phase: string;
  readonly done: number;
  readonly total?: number;
  /** What `done` counts: `bytes`, `images`, `steps`. */
  readonly unit: string;
  readonly figures?: Readonly<Record<string, number>>;
}

/**
 * Partial results that outlive the process. Keys are JSON values: equal keys, equal state. The runner adds the stage's
 * code, packages, inputs, numerics and those params whose schema role is plain identity, so a key need only hold what
 * the stage resolves by itself (the chain of epoch settings).
 */
export interface Checkpoints {
  /** The folder stored under `key`, verified, or undefined. */
  find(key: JsonValue): Promise<Artifact | undefined>;
  /**
   * Stores what `write` puts into an empty folder. The same key again replaces the earlier one. `passing`: it will be
   * replaced or dropped soon (a checkpoint within an epoch), and its bytes go with it instead of staying for the collector.
   */
  save(key: JsonValue, write: (folder: string) => Promise<void>, use?: { readonly passing: boolean }): Promise<void>;
  /** What is `expendable` is the first that garbage collection takes. Saved ones are `kept`. Nothing happens where there is none. */
  mark(key: JsonValue, as: "kept" | "expendable"): Promise<void>;
  /** Forgets a key (a within-epoch checkpoint that its epoch's end has made useless). */
  drop(key: JsonValue): Promise<void>;
}

/** What can be told of a run before it begins, from what earlier ones have left. */
export interface ForesightContext<Params> {
  readonly params: Params;
  readonly inputs: Readonly<Record<string, Artifact>>;
  /** Not yet verified. */
  readonly checkpoints: Pick<Checkpoints, "find">;
}

export interface Foresight {
  /** A clause for the plan: `resumes after epoch 10: trains 5 of 15`. */
  readonly text: string;
  /** Something of earlier runs is there to go on from. */
  readonly found: boolean;
  /**
   * Keys of the checkpoints that it will save at most, in order. Of stages that would save the same one, one does: the
   * others wait until it is there, or its maker is gone.
   */
  readonly makes?: readonly JsonValue[];
  /** Keys of those that it goes on from: they are kept until it has saved one of its own. */
  readonly needs?: readonly JsonValue[];
}

/** A part of an execution: what `run` does from one checkpoint on, if it finds no later one, until it saves another. */
export interface Stretch {
  /** `epoch 7`. */
  readonly name: string;
  /** Keys of the checkpoints that it reads, first of all the one at which it begins; none where that is the beginning. */
  readonly needs: readonly JsonValue[];
  /** The key under which it saves its end. */
  readonly to: JsonValue;
  /** What `done` of its progress is at its end. */
  readonly done: number;
}

export interface StageContext<Params = JsonObject, Engine = unknown> {
  readonly params: Params;
  readonly inputs: Readonly<Record<string, Artifact>>;
  readonly outputs: Readonly<Record<string, OutputFolder>>;
  /** What executes tensor ops. Reading it throws in a stage that does not declare `computes`. */
  readonly engine: Engine;
  readonly checkpoints: Checkpoints;
  /** Aborted when the user asks to stop: finish the current step, save a checkpoint, throw `signal.reason`. */
  readonly signal: AbortSignal;
  /** Path of a declared asset. */
  asset(name: string): string;
  /** A stream of numbers that depends only on the stage's `seed` param and `name`. */
  rng(name: string): Rng;
  /** A folder that survives failed attempts, for downloads. Never part of a result: check what you find there. */
  scratch(name: string): string;
  /** At most `maximum`: how many worker threads are worth starting here. Results must not depend on it. */
  threads(maximum: number): number;
  progress(progress: Progress): void;
  /** A headline result (`testAccuracy`): deterministic, shown by `show` and the report. */
  metric(name: string, value: number): void;
  /** Something about this execution (`secondsPerEpoch`, `imagesPerSecond`): kept in the trace, never in an artifact. */
  measure(name: string, value: number): void;
  /** A line for people. */
  log(line: string): void;
  /** Something that deserves attention but stops nothing. Shown again at the end of the run. */
  warn(line: string): void;
}

/**
 * For a stage's edge, `catch (error) { throw asStageFailure(error, ["DataError"]) }`: errors of a library that are refusals
 * by their class (its name, since classes come with what a stage loads only when it runs) become a `StageFailure` with the
 * same message and `help`. Any other error comes back as it is.
 */
export function asStageFailure(error: unknown, refusals: readonly string[]): unknown {
  if (!(error instanceof Error) || !refusals.includes(error.name)) return error;
  return new StageFailure(error.message, (error as { readonly help?: string }).help);
}

/** Throw this for the world's refusal (no network, corrupt archive): message and hint are shown, without a stack. */
export class StageFailure extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.name = "StageFailure";
    this.help = help;
  }
}
