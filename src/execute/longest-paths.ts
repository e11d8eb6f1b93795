/** What starts first when not all can: the stage after which most time is expected to pass. */
import type { StageGraph } from "../graph/stage-graph.ts";

/** Per stage, the longest expected time from its start to the end of the run. `stages` are in the order they would run. */
export function longestPaths(
  stages: readonly string[],
  graph: StageGraph,
  expectedMs: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const longest = new Map<string, number>();
  for (const name of [...stages].reverse()) {
    const after = (graph.neededBy.get(name) ?? []).map((other) => longest.get(other) ?? 0);
    longest.set(name, (expectedMs.get(name) ?? 1) + Math.max(0, ...after));
  }
  return longest;
}
