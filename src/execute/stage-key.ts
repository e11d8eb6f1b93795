/**
 * From a stage and its inputs' digests to its key manifest: the meeting place of pipeline, code and engine. A stage type
 * and a user's own stage count by their code, a shell stage by its command; where their files lie counts nowhere.
 */
import { relative, sep } from "node:path";
import type { CodeLibrary, ResolvedCode } from "../identity/code-library.ts";
import { digestBytes } from "../identity/digest.ts";
import { fingerprintOf, type KeyedCode } from "../identity/fingerprint.ts";
import type { CommandKey, KeyManifest } from "../identity/key-manifest.ts";
import { paramsForCheckpoints, paramsForKey } from "../identity/param-roles.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import type { PipelineStage, ShellCommand } from "../language/pipeline.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import type { KeyedInputs } from "./stage-inputs.ts";
import type { Workspace } from "./workspace.ts";

export interface StageKey extends KeyedCode {
  readonly fingerprint: string;
  /** The class of machines and libraries on which equal keys give equal bits. Not in the key: it goes into the trace. */
  readonly platformClass: string;
  /** What the stage's checkpoints have in common: the key without how far it goes, on one class of machines. */
  readonly checkpointBase: string;
  /** Absent of a shell stage: it has no code of its own. */
  readonly resolved?: ResolvedCode;
  readonly engine?: ResolvedEngine;
}

export interface StageKeyRequest {
  readonly stage: PipelineStage;
  /** Absolute. */
  readonly pipelineFolder: string;
  readonly inputs: KeyedInputs;
  /** Resolved when the command began; a stage without one does not compute. */
  readonly engine: ResolvedEngine | undefined;
}

export function makeStageKey(
  workspace: Pick<Workspace, "catalogue" | "machine"> & { readonly code: Pick<CodeLibrary, "resolve"> },
  { stage, pipelineFolder, inputs, engine }: StageKeyRequest,
): StageKey {
  const { command, module } = stage;
  const typeName = module ?? stage.type;
  const resolved = command === undefined ? workspace.code.resolve(typeName, engine?.name) : undefined;
  const type = command === undefined ? workspace.catalogue.get(typeName)! : undefined;
  const schema = type?.schema ?? {};
  const manifest: KeyManifest = {
    schema: "tfpipe/key/1",
    // A user's own stage by the name that it gives itself: its module may lie anywhere.
    stageType: module === undefined ? stage.type : type!.definition.type,
    code: resolved?.digest ?? SHELL_CODE,
    packages: resolved?.packages ?? {},
    params: paramsForKey(stage.params, schema),
    inputs: inputs.digests,
    outputs: Object.fromEntries(Object.entries(stage.outputs).map(([name, port]) => [name, port.kind])),
    env: stage.env,
    ...(command === undefined ? {} : { command: keyCommand(command, pipelineFolder, inputs) }),
    ...(engine === undefined
      ? {}
      : {
          numerics: {
            engine: engine.name,
            version: engine.version,
            threads: engine.threads,
            precision: engine.precision,
            convolution: engine.convolution,
            ...engine.numerics,
          },
        }),
  };
  const { platform, architecture, instructions } = workspace.machine;
  const build = engine === undefined || engine.build === "" ? "" : `-${engine.build}`;
  const platformClass = `${platform}-${architecture}-${instructions}${build}`;
  let checkpointBase: string | undefined;
  return {
    manifest,
    platformClass,
    code: resolved?.listing ?? { modules: {} },
    fingerprint: fingerprintOf(manifest),
    // Of most stages nobody asks.
    get checkpointBase() {
      checkpointBase ??= digestBytes(
        canonicalJson({
          ...manifest,
          params: paramsForCheckpoints(stage.params, schema),
          platformClass,
        } as unknown as JsonObject),
      );
      return checkpointBase;
    },
    ...(resolved === undefined ? {} : { resolved }),
    ...(engine === undefined ? {} : { engine }),
  };
}

/** Stands for how commands are run: which places and variables they get. Another way of doing it is another number. */
const SHELL_CODE = digestBytes("tfpipe/shell/1");

function keyCommand(command: ShellCommand, pipelineFolder: string, { places, tools }: KeyedInputs): CommandKey {
  const { text, shell, values, outputPaths } = command;
  const folder = relative(pipelineFolder, command.folder).replaceAll(sep, "/");
  return { text, shell, folder: folder === "" ? "." : folder, values, places, outputPaths, tools };
}
