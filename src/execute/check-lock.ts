/**
 * Whether what a lock says still follows from the files that are here. Each stage's key is made by the functions that
 * decide, with what its upstream stages made taken from the lock: so a change shows at the stage that it is in, and what
 * lies behind it is not accused. Nothing runs, and nothing that was made is needed.
 *
 * An input that is not here counts as it was locked, and is listed. What a machine brings along (the engine, programs on
 * the PATH) is noted where it is another one; a difference that the repository can have made is a problem.
 */
import { isAbsolute } from "node:path";
import type { ArtifactReference } from "../cache/artifact-store.ts";
import { producersOf, type StageGraph } from "../graph/stage-graph.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { diffKeys } from "../identity/fingerprint.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import {
  diffLockedKeys,
  fileNameOf,
  type LockedResults,
  type LockedStage,
  lockKey,
  placeOf,
} from "../identity/lock.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import { findProgram } from "../platform/find-program.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import { FILE_KIND, type KeyedInputs, keyStageInputs } from "./stage-inputs.ts";
import { makeStageKey, type StageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

export interface LockCheckRequest {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  /** Which stages, in the order they would run. */
  readonly stages: readonly string[];
  readonly locked: LockedResults;
  /** What each stage that computes would compute on. */
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  /** False where it is asked whether a run here would come to the locked keys: then what is here counts. */
  readonly forgiving: boolean;
}

export interface LockCheck {
  readonly problems: readonly LockProblem[];
  /** Stages that may have another key once those with problems have run. */
  readonly behind: readonly string[];
  readonly unchecked: readonly UncheckedPart[];
}

export type LockProblem =
  /** Its key is another one. */
  | { readonly problem: "changed"; readonly stage: string; readonly differences: readonly KeyDifference[] }
  /** Its fingerprint follows, and the lines beside it are of another key. */
  | { readonly problem: "edited"; readonly stage: string; readonly differences: readonly KeyDifference[] }
  | { readonly problem: "unlocked"; readonly stage: string }
  | { readonly problem: "lost"; readonly stage: string }
  | { readonly problem: "unreadable"; readonly stage: string; readonly reason: string; readonly help: string };

/** What was taken from the lock. */
export type UncheckedPart =
  /** It is not here. */
  | { readonly part: "input"; readonly stage: string; readonly name: string; readonly path: string }
  /** It is not here, or here is another one. */
  | { readonly part: "tool"; readonly stage: string; readonly name: string; readonly found: boolean }
  | { readonly part: "stage"; readonly stage: string; readonly why: "frozen" | "never cached" };

export async function checkLock(workspace: Workspace, request: LockCheckRequest): Promise<LockCheck> {
  const { pipeline, graph, locked } = request;
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const problems: LockProblem[] = [];
  const unchecked: UncheckedPart[] = [];
  const accused = new Set<string>();
  const behind: string[] = [];
  const keyer = new Keyer(workspace, request, unchecked);
  for (const name of request.stages) {
    const stage = stages.get(name)!;
    const { cache, frozen } = stage.execution;
    const found = await checkStage(stage, Object.hasOwn(locked.stages, name) ? locked.stages[name] : undefined, keyer);
    if (frozen || !cache) unchecked.push({ part: "stage", stage: name, why: frozen ? "frozen" : "never cached" });
    const waits = found === "waits" || graph.needs.get(name)!.some((need) => accused.has(need));
    if (typeof found === "object") problems.push(found);
    else if (waits && !frozen) behind.push(name);
    else continue;
    accused.add(name);
  }
  for (const name of Object.keys(locked.stages)) if (!stages.has(name)) problems.push({ problem: "lost", stage: name });
  return { problems, behind, unchecked };
}

async function checkStage(
  stage: PipelineStage,
  locked: LockedStage | undefined,
  keyer: Keyer,
): Promise<LockProblem | "waits" | undefined> {
  const { name } = stage;
  if (locked === undefined) return { problem: "unlocked", stage: name };
  // It keeps what it had, whatever its key would be by now.
  if (stage.execution.frozen) return undefined;
  let key: StageKey;
  try {
    key = await keyer.keyOf(stage, locked);
  } catch (error) {
    if (error instanceof NotLocked) return "waits";
    if (!(error instanceof UnfitForArtifact)) throw error;
    return { problem: "unreadable", stage: name, reason: error.message, help: error.help };
  }
  const now = lockKey(stage, key);
  const differences = diffLockedKeys({ ...locked.key, outputs: Object.keys(locked.outputs).sort() }, now);
  if (key.fingerprint === locked.fingerprint)
    return differences.length === 0 ? undefined : { problem: "edited", stage: name, differences };
  // The lines were left, and the fingerprint was changed.
  if (differences.length === 0) return { problem: "edited", stage: name, differences: [FINGERPRINT] };
  return { problem: "changed", stage: name, differences: keyer.nameFiles(locked, key) ?? differences };
}

const FINGERPRINT: KeyDifference = { part: "schema", name: "fingerprint" };

/** An upstream stage, or an output of one, has no line in the lock: that one is accused. */
class NotLocked extends Error {}

/** Makes keys with what the lock says of everything that is not here. */
class Keyer {
  readonly #workspace: Workspace;
  readonly #request: LockCheckRequest;
  readonly #unchecked: UncheckedPart[];

  constructor(workspace: Workspace, request: LockCheckRequest, unchecked: UncheckedPart[]) {
    const { locked } = request;
    const names = new Map<string, string>();
    for (const stage of Object.values(locked.stages))
      for (const [output, { kind, digest }] of Object.entries(stage.outputs)) {
        const name = kind === FILE_KIND ? fileNameOf(stage, output) : undefined;
        if (name !== undefined) names.set(digest, name);
      }
    const listing = (digest: string) => {
      const path = names.get(digest);
      if (path === undefined) return undefined;
      return { files: [{ path, sizeBytes: 0, digest, executable: false }], emptyFolders: [] };
    };
    this.#workspace = { ...workspace, artifacts: { ...workspace.artifacts, listing } };
    this.#request = request;
    this.#unchecked = unchecked;
  }

  /** Throws `NotLocked`, and `UnfitForArtifact` where an input can be neither read nor taken from the lock. */
  async keyOf(stage: PipelineStage, locked: LockedStage): Promise<StageKey> {
    const { pipeline, engines } = this.#request;
    // First, so that nothing is read for a stage that waits.
    for (const { stage: producer, output } of Object.values(stage.inputs).flatMap(producersOf))
      this.#outputOf(producer, output);
    const inputs = await this.#inputsOf(stage, locked);
    const engine = engines.get(stage.name);
    return makeStageKey(this.#workspace, { stage, pipelineFolder: pipeline.folder, inputs, engine });
  }

  #outputOf(name: string, output: string): ArtifactReference {
    const { stages } = this.#request.locked;
    const made = Object.hasOwn(stages, name) ? stages[name]!.outputs : {};
    if (!Object.hasOwn(made, output)) throw new NotLocked();
    return made[output]!;
  }

  async #inputsOf(stage: PipelineStage, locked: LockedStage): Promise<KeyedInputs> {
    const { forgiving } = this.#request;
    const absent = forgiving ? this.#absentInputs(stage, locked) : [];
    const tools = forgiving ? await this.#takenTools(stage, locked) : {};
    const inputs = Object.fromEntries(Object.entries(stage.inputs).filter(([port]) => !absent.includes(port)));
    const { command } = stage;
    const rest =
      command === undefined
        ? { ...stage, inputs }
        : {
            ...stage,
            inputs,
            command: { ...command, tools: command.tools.filter((tool) => !Object.hasOwn(tools, tool)) },
          };
    const keyed = await keyStageInputs(this.#workspace, rest, (name, output) => this.#outputOf(name, output));
    const taken = <T>(part: (port: string) => T) => Object.fromEntries(absent.map((port) => [port, part(port)]));
    return {
      digests: { ...keyed.digests, ...taken((port) => locked.key.inputs[port]!) },
      places: command === undefined ? keyed.places : { ...keyed.places, ...taken((port) => placeOf(locked, port)) },
      tools: { ...keyed.tools, ...tools },
    };
  }

  /** Ports whose path is not here, and was read when the stage was locked. */
  #absentInputs(stage: PipelineStage, { key, sources }: LockedStage): readonly string[] {
    const { files } = this.#workspace;
    return Object.entries(stage.inputs).flatMap(([port, source]) => {
      if (source.from !== "path" || files.stat(files.resolveLink(source.path)) !== undefined) return [];
      if (sources[port] !== source.text || key.inputs[port] === undefined) return [];
      this.#unchecked.push({ part: "input", stage: stage.name, name: port, path: source.text });
      return [port];
    });
  }

  /** Digests of programs that are the machine's own affair. One that lies in the repository is a file like any other. */
  async #takenTools({ name, command, env }: PipelineStage, { key }: LockedStage): Promise<Record<string, string>> {
    const { files, memo, searchPath } = this.#workspace;
    const taken: Record<string, string> = {};
    for (const tool of command?.tools ?? []) {
      const locked = key.tools[tool];
      if (locked === undefined || (tool.includes("/") && !isAbsolute(tool))) continue;
      const path = findProgram(files, tool, { searchPath: env.PATH ?? searchPath, folder: command!.folder });
      if (path === undefined || (await memo.digest(path)) !== locked)
        this.#unchecked.push({ part: "tool", stage: name, name: tool, found: path !== undefined });
      taken[tool] = locked;
    }
    return taken;
  }

  /** Names the modules of a stage type, which the lock does not list: where the store still has what was locked. */
  nameFiles({ fingerprint }: LockedStage, key: StageKey): readonly KeyDifference[] | undefined {
    const trace = this.#workspace.traces.find(fingerprint)[0];
    return trace === undefined ? undefined : diffKeys(trace, key);
  }
}
