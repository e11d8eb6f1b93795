/** How long stages will take where they never ran like this: their floating-point operations by this machine's rate. */
import type { Facts } from "../contract.ts";
import type { ResolvedEngine } from "../execute/engine-port.ts";
import type { DetailedStage } from "../execute/plan.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";

export async function estimateStages(
  pipeline: Pipeline,
  engines: ReadonlyMap<string, ResolvedEngine>,
  { catalogue, engines: port }: Workspace,
  plan: readonly DetailedStage[],
): Promise<readonly DetailedStage[]> {
  return Promise.all(
    plan.map(async (planned) => {
      // What ran with other params says little; what ran with these says all.
      if (planned.decision === "fresh" || planned.decision === "restore") return planned;
      if (planned.expectedMs !== undefined && planned.differences.every(({ part }) => part !== "param")) return planned;
      const engine = engines.get(planned.stage);
      const stage = pipeline.stages.find(({ name }) => name === planned.stage)!;
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
