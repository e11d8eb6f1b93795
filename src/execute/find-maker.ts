/** Which stage made a blob: the one to run again where the blob is lost. */
import type { ArtifactStore } from "../cache/artifact-store.ts";
import type { TracedResult } from "../cache/trace-store.ts";
import type { StageGraph } from "../graph/stage-graph.ts";

/** The first of `stage` and what it needs whose outputs hold the blob, or `stage` where none does. */
export function findMaker(
  artifacts: Pick<ArtifactStore, "listing">,
  graph: StageGraph,
  traces: ReadonlyMap<string, TracedResult>,
  stage: string,
  blob: string,
): string {
  const visit = (candidate: string): string | undefined => {
    for (const need of graph.needs.get(candidate) ?? []) {
      const found = visit(need);
      if (found !== undefined) return found;
    }
    const outputs = Object.values(traces.get(candidate)?.outputs ?? {});
    const holds = outputs.some(
      ({ digest }) => digest === blob || artifacts.listing(digest)?.files.some((file) => file.digest === blob),
    );
    return holds ? candidate : undefined;
  };
  return visit(stage) ?? stage;
}
