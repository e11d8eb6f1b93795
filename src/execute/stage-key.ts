/** From a stage and its inputs' digests to its key manifest: the meeting place of pipeline, code and engine. */

import type { ResolvedCode } from "../identity/code-library.ts";
import { digestBytes } from "../identity/digest.ts";
import { fingerprintOf, type KeyedCode } from "../identity/fingerprint.ts";
import type { KeyManifest } from "../identity/key-manifest.ts";
import { paramsForCheckpoints, paramsForKey } from "../identity/param-roles.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import type { Workspace } from "./workspace.ts";

export interface StageKey extends KeyedCode {
  readonly fingerprint: string;
  /** The class of machines and libraries on which equal keys give equal bits. Not in the key: it goes into the trace. */
  readonly platformClass: string;
  /** What the stage's checkpoints have in common: the key without how far it goes, on one class of machines. */
  readonly checkpointBase: string;
  readonly resolved: ResolvedCode;
  readonly engine?: ResolvedEngine;
}

/** The engine was resolved when the command began; a stage without one does not compute. */
export function makeStageKey(
  workspace: Pick<Workspace, "code" | "catalogue" | "machine">,
  stage: PipelineStage,
  inputs: Readonly<Record<string, string>>,
  engine: ResolvedEngine | undefined,
): StageKey {
  const resolved = workspace.code.resolve(stage.type, engine?.name);
  const schema = workspace.catalogue.get(stage.type)!.schema;
  const manifest: KeyManifest = {
    schema: "tfpipe/key/1",
    stageType: stage.type,
    code: resolved.digest,
    packages: resolved.packages,
    params: paramsForKey(stage.params, schema),
    inputs,
    outputs: Object.fromEntries(Object.entries(stage.outputs).map(([name, port]) => [name, port.kind])),
    env: {},
    ...(engine === undefined
      ? {}
      : {
          numerics: {
            engine: engine.name,
            version: engine.version,
            threads: engine.threads,
            precision: engine.precision,
            convolution: engine.convolution,
          },
        }),
  };
  const { platform, architecture, instructions } = workspace.machine;
  const build = engine === undefined || engine.build === "" ? "" : `-${engine.build}`;
  const platformClass = `${platform}-${architecture}-${instructions}${build}`;
  return {
    manifest,
    platformClass,
    code: resolved.listing,
    fingerprint: fingerprintOf(manifest),
    checkpointBase: digestBytes(
      canonicalJson({
        ...manifest,
        params: paramsForCheckpoints(stage.params, schema),
        platformClass,
      } as unknown as JsonObject),
    ),
    resolved,
    ...(engine === undefined ? {} : { engine }),
  };
}
