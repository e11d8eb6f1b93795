/** The part of a graph that a run is about: up to some stages, from some stages on, or both. */
import { type StageGraph, selectStages } from "./stage-graph.ts";

export interface StageRange {
  /** In the order they would run. */
  readonly stages: readonly string[];
  /** Those of them that are needed by others of them, and are not themselves to be run. */
  readonly before: ReadonlySet<string>;
}

export interface RangeEnds {
  /** These and all that depends on them. Empty: from the beginning. */
  readonly from: readonly string[];
  /** These and all that they need. Empty: to the end. */
  readonly until: readonly string[];
}

/** Throws on a name that is not in the graph. A stage of `from` that `until` does not need is not in the range. */
export function selectRange(graph: StageGraph, { from, until }: RangeEnds): StageRange {
  const reached = until.length === 0 ? graph : selectStages(graph, until);
  if (from.length === 0) return { stages: reached.order, before: new Set() };
  const considered = new Set<string>();
  const waiting = from.filter((name) => reached.needs.has(name));
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (considered.has(name)) continue;
    considered.add(name);
    waiting.push(...reached.neededBy.get(name)!);
  }
  const { order } = selectStages(reached, [...considered]);
  return { stages: order, before: new Set(order.filter((name) => !considered.has(name))) };
}
