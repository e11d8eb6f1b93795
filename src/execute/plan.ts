/** What a run would do, per stage, and why. Reads the store and the user's files; changes nothing. */
import { join } from "node:path";
import type { Trace } from "../cache/trace-store.ts";
import type { StageGraph } from "../graph/stage-graph.ts";
import { digestPath, UnfitForArtifact } from "../identity/artifact-digest.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { PlannedStage } from "../record.ts";
import { decideStage } from "./decide.ts";
import { engineRecord, type ResolvedEngine } from "./engine-port.ts";
import { pipelineFolderName, readLastRun } from "./last-run.ts";
import { collectMembers, digestCollection } from "./stage-inputs.ts";
import { makeStageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

export interface PlanRequest {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  /** In the order they would run. */
  readonly stages: readonly string[];
  /** By stage, where the stage type computes. */
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  readonly force: ReadonlySet<string>;
}

export interface DetailedStage extends PlannedStage {
  readonly differences: readonly KeyDifference[];
  /** Where it is fresh or will be restored. */
  readonly trace?: Trace;
}

export async function planRun(workspace: Workspace, request: PlanRequest): Promise<readonly DetailedStage[]> {
  const { pipeline, graph } = request;
  const folder = join(workspace.artifactsFolder, pipelineFolderName(pipeline));
  const last = readLastRun(workspace, pipeline);
  const known = new Map<string, Trace["outputs"]>();
  const planned: DetailedStage[] = [];
  for (const name of request.stages) {
    const stage = pipeline.stages.find((candidate) => candidate.name === name)!;
    const needs = graph.needs.get(name)!;
    const lastFingerprint = last?.stages[name];
    const expectedMs =
      lastFingerprint === undefined ? undefined : workspace.traces.find(lastFingerprint)[0]?.durationMs;
    const engine = request.engines.get(name);
    const common = {
      stage: name,
      stageType: stage.type,
      needs,
      ...(expectedMs === undefined ? {} : { expectedMs }),
      ...(engine === undefined ? {} : { engine: engineRecord(engine) }),
    };
    const waits = needs.filter((need) => !known.has(need));
    if (waits.length > 0) {
      const reason =
        lastFingerprint === undefined
          ? `never run; waits for ${waits.join(", ")}`
          : `runs only if ${waits.join(" or ")} gives another result`;
      planned.push({ ...common, decision: "pending", reason, differences: [] });
      continue;
    }
    const inputs = await digestInputs(workspace, stage, known);
    if (typeof inputs === "string") {
      planned.push({ ...common, decision: "run", reason: inputs, differences: [] });
      continue;
    }
    const key = makeStageKey(workspace, stage, inputs, engine);
    const decision = await decideStage(workspace, {
      stage,
      key,
      lastFingerprint,
      folder,
      force: request.force.has(name),
    });
    if (decision.trace !== undefined) known.set(name, decision.trace.outputs);
    planned.push({
      ...common,
      decision: decision.decision,
      reason: decision.reason,
      fingerprint: key.fingerprint,
      differences: decision.differences,
      ...(decision.trace === undefined ? {} : { trace: decision.trace }),
    });
  }
  return planned;
}

/** Digest by port, or what is wrong with a path the user gave. */
async function digestInputs(
  { files, memo }: Workspace,
  stage: PipelineStage,
  known: ReadonlyMap<string, Trace["outputs"]>,
): Promise<Readonly<Record<string, string>> | string> {
  const digests: Record<string, string> = {};
  for (const [port, source] of Object.entries(stage.inputs)) {
    if (source.from === "stage") {
      digests[port] = known.get(source.stage)![source.output]!.digest;
      continue;
    }
    if (source.from === "instances") {
      digests[port] = digestCollection(collectMembers(source, (name, output) => known.get(name)![output]!));
      continue;
    }
    try {
      digests[port] = (await digestPath(files, memo, files.resolveLink(source.path))).digest;
    } catch (error) {
      if (error instanceof UnfitForArtifact) return error.message;
      throw error;
    }
  }
  return digests;
}
