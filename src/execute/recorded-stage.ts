/**
 * A stage as it was when it made a result: params, environment and engine from the trace's key manifest, inputs by the
 * digests in it, from the store or, of the user's own files, where they lie. Code is what is here, or else what the store
 * kept when it ran. What can be run again is exactly that: the key of what was put together must be the fingerprint of the
 * trace, else it is refused, with what is not as it was.
 */
import type { ArtifactPaths, ArtifactReference } from "../cache/artifact-store.ts";
import { DamagedObject } from "../cache/object-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { OutputPort } from "../contract.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import { diffKeys } from "../identity/fingerprint.ts";
import type { KeyManifest, NumericsKey } from "../identity/key-manifest.ts";
import { completeParams } from "../identity/param-roles.ts";
import { openStoredCode, type StoredCode } from "../identity/stored-code.ts";
import type { EngineSetting, InputSource, PipelineStage } from "../language/pipeline.ts";
import type { FileStat } from "../platform/file-system.ts";
import type { StageRecord } from "../record.ts";
import { describeDifferences } from "./decide.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import { digestCollection, readStageInputs } from "./stage-inputs.ts";
import { makeStageKey, type StageKey, type StageKeyRequest } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

export interface RecordedStage {
  readonly stage: PipelineStage;
  readonly key: StageKey;
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  readonly watched: ReadonlyMap<string, FileStat>;
  /** Code that it had and that is another one by now. Where this is, the paths in the key are names in it. */
  readonly earlierCode?: StoredCode;
}

export interface RecordedStageRequest {
  /** As the pipeline has it now. */
  readonly stage: PipelineStage;
  /** Absolute. */
  readonly pipelineFolder: string;
  readonly trace: Trace;
  /** What stages gave at one time or another, the likeliest time first. */
  readonly lookups: readonly OutputLookup[];
}

export type OutputLookup = (stage: string, output: string) => ArtifactReference | undefined;

/** Something of it is not there any more as it was. */
export class NotReplayable extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.name = "NotReplayable";
    this.help = help;
  }
}

/** Throws `NotReplayable`. */
export async function openRecordedStage(workspace: Workspace, request: RecordedStageRequest): Promise<RecordedStage> {
  const { trace, pipelineFolder } = request;
  const stage = asRecorded(workspace, request.stage, trace.manifest);
  const made = findInputs(stage, request);
  for (const { outputs } of made.values())
    for (const { digest } of Object.values(outputs)) {
      const damaged = await workspace.artifacts.inspect(digest, true);
      if (damaged !== undefined) throw new NotReplayable(`an input is lost: ${damaged.message}`, RUN_FIRST);
    }
  const { inputs, keyed, watched } = await readInputs(workspace, stage, made);
  for (const [port, digest] of Object.entries(trace.manifest.inputs))
    if (keyed.digests[port] !== digest)
      throw new NotReplayable(`input ${port} (${textOf(stage.inputs[port]!)}) is not what it was`, RUN_FIRST);
  const engine = resolveEngine(workspace, trace.manifest.numerics);
  const keyRequest = { stage, pipelineFolder, inputs: keyed, engine };
  return { stage, inputs, watched, ...(await makeRecordedKey(workspace, keyRequest, trace, RUN_FIRST)) };
}

/** With the code that is here, or that the store kept. Throws `NotReplayable` where it is not the trace's. */
async function makeRecordedKey(
  workspace: Workspace,
  request: StageKeyRequest,
  trace: Trace,
  help?: string,
): Promise<Pick<RecordedStage, "key" | "earlierCode">> {
  const key = makeStageKey(workspace, request);
  if (key.fingerprint === trace.fingerprint) return { key };
  const refuse = (made: StageKey, more = ""): NotReplayable =>
    new NotReplayable(`${describeDifferences(diffKeys(trace, made), request.stage)}${more}`, help);
  const { ran, ...listing } = trace.code;
  if (key.resolved === undefined || key.manifest.code === trace.manifest.code || ran === undefined) throw refuse(key);
  const damaged = await workspace.codeStore.inspect(ran);
  if (damaged !== undefined) throw refuse(key, `, and of the code that it had ${damaged.message}`);
  // It will import the packages that are here.
  const code = openStoredCode(ran, "", { packages: key.resolved.packages, listing });
  const earlier = makeStageKey({ ...workspace, code: { resolve: () => code } }, request);
  if (earlier.fingerprint !== trace.fingerprint) throw refuse(earlier);
  return { key: earlier, earlierCode: ran };
}

/**
 * The same of a stage type of the package from its trace alone, whatever pipelines say by now. `params` are those that it
 * ran with, for what is in no key. Throws `NotReplayable`; so it does of another class of machines, whose bits differ.
 */
export async function openTracedStage(
  workspace: Workspace,
  { stage: name, params }: Pick<StageRecord, "stage" | "params">,
  trace: Trace,
): Promise<RecordedStage> {
  const { stage, inputs } = readTracedStage(workspace, { stage: name, params }, trace);
  for (const { digest } of Object.values(inputs)) {
    const damaged = await workspace.artifacts.inspect(digest, true);
    if (damaged !== undefined) throw new NotReplayable(`an input is lost: ${damaged.message}`);
  }
  const engine = resolveEngine(workspace, trace.manifest.numerics);
  const keyed = { digests: trace.manifest.inputs, places: {}, tools: {} };
  const keyRequest = { stage, pipelineFolder: workspace.artifactsFolder, inputs: keyed, engine };
  const made = await makeRecordedKey(workspace, keyRequest, trace);
  const { platformClass } = made.key;
  if (platformClass !== trace.platformClass)
    throw new NotReplayable(`it ran on ${trace.platformClass}, and this is ${platformClass}`);
  return { stage, inputs, watched: new Map(), ...made };
}

/** What of it can be told without its code or its engine being here. Throws `NotReplayable`. */
export function readTracedStage(
  { artifacts, catalogue }: Pick<Workspace, "artifacts" | "catalogue">,
  { stage: name, params }: Pick<StageRecord, "stage" | "params">,
  { manifest }: Trace,
): Pick<RecordedStage, "stage" | "inputs"> {
  const type = manifest.command === undefined ? catalogue.get(manifest.stageType) : undefined;
  if (type === undefined) throw new NotReplayable(`${manifest.stageType} is no stage type of tfpipe`);
  const inputs: Record<string, ArtifactPaths> = {};
  const sources: Record<string, InputSource> = {};
  for (const [port, digest] of Object.entries(manifest.inputs)) {
    try {
      inputs[port] = artifacts.locate({ kind: "", digest });
    } catch (error) {
      if (!(error instanceof DamagedObject)) throw error;
      throw new NotReplayable(`its input ${port} is not in the store`);
    }
    sources[port] = { from: "stage", stage: port, output: "" };
  }
  const outputs = Object.entries(manifest.outputs).map(([output, kind]) => [output, { kind, description: "" }]);
  const nowhere = { file: "", start: 0, end: 0 };
  const stage: PipelineStage = {
    name,
    type: manifest.stageType,
    params: completeParams(manifest.params, params, type.schema),
    inputs: sources,
    outputs: Object.fromEntries(outputs),
    after: [],
    execution: { retries: 0, cache: true, frozen: false },
    env: manifest.env,
    facts: {},
    spans: { name: nowhere, params: {}, inputs: {} },
  };
  return { stage, inputs };
}

const RUN_FIRST = "run it: then there is a result of what is here now";

function asRecorded({ catalogue }: Workspace, stage: PipelineStage, manifest: KeyManifest): PipelineStage {
  const { command } = stage;
  const schema = command === undefined ? (catalogue.get(stage.module ?? stage.type)?.schema ?? {}) : {};
  const inputs: Record<string, InputSource> = {};
  for (const port of Object.keys(manifest.inputs)) {
    const source = stage.inputs[port];
    if (source === undefined) throw new NotReplayable(`its input ${port} is not connected any more`, RUN_FIRST);
    inputs[port] = source;
  }
  const outputs = Object.entries(manifest.outputs).map(([name, kind]): [string, OutputPort] => [
    name,
    stage.outputs[name]?.kind === kind ? stage.outputs[name] : { kind, description: "" },
  ]);
  return {
    ...stage,
    params: completeParams(manifest.params, stage.params, schema),
    inputs,
    outputs: Object.fromEntries(outputs),
    env: manifest.env,
    ...(command === undefined || manifest.command === undefined
      ? {}
      : { command: { ...command, values: manifest.command.values } }),
  };
}

type Made = ReadonlyMap<string, { readonly outputs: Readonly<Record<string, ArtifactReference>> }>;

/** Of every stage that this one reads, the outputs that it had read. */
function findInputs({ inputs }: PipelineStage, { trace, lookups }: RecordedStageRequest): Made {
  const made = new Map<string, { readonly outputs: Record<string, ArtifactReference> }>();
  const add = (stage: string, output: string, reference: ArtifactReference): void => {
    made.set(stage, { outputs: { ...made.get(stage)?.outputs, [output]: reference } });
  };
  for (const [port, source] of Object.entries(inputs)) {
    const wanted = trace.manifest.inputs[port]!;
    const unknown = () =>
      new NotReplayable(`what its input ${port} (${textOf(source)}) was is not known any more`, RUN_FIRST);
    if (source.from === "stage") {
      const found = lookups.map((lookup) => lookup(source.stage, source.output)).find((one) => one?.digest === wanted);
      if (found === undefined) throw unknown();
      add(source.stage, source.output, found);
    } else if (source.from === "instances") {
      const lookup = lookups.find((one) => digestOfMembers(source, one) === wanted);
      if (lookup === undefined) throw unknown();
      for (const { stage, output } of source.members) add(stage, output, lookup(stage, output)!);
    }
  }
  return made;
}

function digestOfMembers(
  { members }: InputSource & { readonly from: "instances" },
  lookup: OutputLookup,
): string | undefined {
  const found: Record<string, ArtifactReference> = {};
  for (const { name, stage, output } of members) {
    const reference = lookup(stage, output);
    if (reference === undefined) return undefined;
    found[name] = { kind: reference.kind, digest: reference.digest };
  }
  return digestCollection(found);
}

async function readInputs(workspace: Workspace, stage: PipelineStage, made: Made) {
  try {
    return await readStageInputs(workspace, stage, made);
  } catch (error) {
    if (error instanceof UnfitForArtifact) throw new NotReplayable(error.message, error.help);
    throw error;
  }
}

function resolveEngine({ engines }: Workspace, numerics: NumericsKey | undefined): ResolvedEngine | undefined {
  if (numerics === undefined) return undefined;
  const { engine, threads, precision, convolution } = numerics;
  const resolved = engines.resolve({ name: engine, threads, precision, convolution } as EngineSetting);
  if ("problem" in resolved) throw new NotReplayable(`the engine ${engine} ${resolved.problem}`, resolved.help);
  return resolved;
}

function textOf(source: InputSource): string {
  return source.from === "stage" ? `${source.stage}.${source.output}` : source.text;
}
