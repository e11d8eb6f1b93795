/**
 * What a plan is told about time: which part of the machine a stage takes, and how long it will be at it where it never
 * ran like this, its floating-point operations by this machine's rate.
 */
import type { Facts } from "../contract.ts";
import type { ResolvedEngine } from "../execute/engine-port.ts";
import type { DetailedStage } from "../execute/plan.ts";
import { shareOf, stageResources } from "../execute/stage-resources.ts";
import type { Resources } from "../execute/token-pool.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";

export async function estimateStages(
  pipeline: Pipeline,
  engines: ReadonlyMap<string, ResolvedEngine>,
  { catalogue, engines: port }: Workspace,
  unshared: readonly DetailedStage[],
  capacityOf: () => Promise<Resources>,
): Promise<readonly DetailedStage[]> {
  const takesTime = ({ decision }: DetailedStage): boolean => decision === "run" || decision === "pending";
  if (!unshared.some(takesTime)) return unshared;
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const capacity = await capacityOf();
  return Promise.all(
    unshared.map(async (plain) => {
      if (!takesTime(plain)) return plain;
      const stage = stages.get(plain.stage)!;
      const planned = { ...plain, share: shareOf(stageResources(stage, capacity).tokens, capacity) };
      // What ran with other params says little; what ran with these says all.
      if (planned.expectedMs !== undefined && planned.differences.every(({ part }) => part !== "param")) return planned;
      const engine = engines.get(planned.stage);
      const estimate = catalogue.get(stage.type)?.definition.estimate;
      if (engine === undefined || estimate === undefined) return planned;
      const flops = await estimate({ params: stage.params, inputs: inputFacts(pipeline, stage) });
      if (flops === undefined) return planned;
      const rate = await port.flopsPerSecond(engine);
      return rate === undefined ? planned : { ...planned, expectedMs: (flops / rate) * 1000 };
    }),
  );
}

function inputFacts(pipeline: Pipeline, stage: PipelineStage): Readonly<Record<string, Facts>> {
  return Object.fromEntries(
    Object.entries(stage.inputs).map(([port, source]) => [
      port,
      source.from === "stage"
        ? (pipeline.stages.find(({ name }) => name === source.stage)?.facts[source.output] ?? {})
        : {},
    ]),
  );
}
