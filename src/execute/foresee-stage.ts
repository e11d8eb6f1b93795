/**
 * What a stage that is to run would go on from, in its own words: a clause behind the reason why it runs. Checkpoints are
 * only looked up, not verified, and what cannot be told is left out: the run itself will say it.
 */
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { openArtifact } from "../cache/artifact-store.ts";
import { DamagedObject } from "../cache/object-store.ts";
import type { Foresight } from "../contract.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import type { StageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

/** Undefined where the stage foresees nothing, or its inputs are not in the store. */
export async function foreseeStage(
  workspace: Pick<Workspace, "artifacts" | "catalogue" | "checkpoints">,
  stage: PipelineStage,
  { checkpointBase, manifest }: StageKey,
): Promise<Foresight | undefined> {
  const definition = workspace.catalogue.get(stage.module ?? stage.type)?.definition;
  if (definition?.foresee === undefined) return undefined;
  const inputs = locateInputs(workspace, stage, manifest.inputs);
  if (inputs === undefined) return undefined;
  return definition.foresee({
    params: stage.params,
    inputs: Object.fromEntries(Object.entries(inputs).map(([port, paths]) => [port, openArtifact(paths)])),
    checkpoints: {
      async find(key) {
        const found = await workspace.checkpoints.peek(checkpointBase, key);
        return found && openArtifact(found);
      },
    },
  });
}

function locateInputs(
  { artifacts }: Pick<Workspace, "artifacts">,
  stage: PipelineStage,
  digests: Readonly<Record<string, string>>,
): Readonly<Record<string, ArtifactPaths>> | undefined {
  const located: Record<string, ArtifactPaths> = {};
  try {
    for (const [port, digest] of Object.entries(digests)) {
      // Files of the user's are not in the store.
      if (stage.inputs[port]?.from !== "stage") return undefined;
      located[port] = artifacts.locate({ kind: "", digest });
    }
  } catch (error) {
    if (error instanceof DamagedObject) return undefined;
    throw error;
  }
  return located;
}
