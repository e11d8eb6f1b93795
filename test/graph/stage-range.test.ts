import { describe, expect, test } from "vitest";
import { buildStageGraph } from "../../src/graph/stage-graph.ts";
import { selectRange } from "../../src/graph/stage-range.ts";
import type { InputSource, Pipeline, PipelineStage } from "../../src/language/pipeline.ts";

/** `needs` by stage; in file order. */
function graphOf(needs: Readonly<Record<string, readonly string[]>>) {
  const stages = Object.entries(needs).map(([name, sources]) => ({
    name,
    inputs: Object.fromEntries(
      sources.map((stage): [string, InputSource] => [stage, { from: "stage", stage, output: "out" }]),
    ),
    after: [],
  }));
  return buildStageGraph({ stages: stages as unknown as readonly PipelineStage[] } as Pipeline);
}

/**
 *   fetch -> split -> train -> evaluate -> plot
 *                     ^          |
 *            model ---+          +-> report
 */
const graph = graphOf({
  fetch: [],
  split: ["fetch"],
  model: [],
  train: ["split", "model"],
  evaluate: ["train"],
  plot: ["evaluate"],
  report: ["evaluate"],
});
const range = (from: readonly string[], until: readonly string[]) => {
  const { stages, before } = selectRange(graph, { from, until });
  return { stages, before: [...before] };
};

describe("a range of stages", () => {
  test("without ends is everything", () => {
    expect(range([], [])).toEqual({ stages: graph.order, before: [] });
  });

  test("until a stage is that stage and what it needs", () => {
    expect(range([], ["train"])).toEqual({ stages: ["fetch", "split", "model", "train"], before: [] });
  });

  test("from a stage is that stage and what depends on it; what they need besides comes before", () => {
    expect(range(["evaluate"], [])).toEqual({
      stages: ["fetch", "split", "model", "train", "evaluate", "plot", "report"],
      before: ["fetch", "split", "model", "train"],
    });
    expect(range(["model"], []).before).toEqual(["fetch", "split"]);
  });

  test("with both ends leaves out what only one of them reaches", () => {
    expect(range(["train"], ["plot"])).toEqual({
      stages: ["fetch", "split", "model", "train", "evaluate", "plot"],
      before: ["fetch", "split", "model"],
    });
  });

  test("does not hold a beginning that its end does not need", () => {
    expect(range(["plot"], ["train"])).toEqual({ stages: [], before: [] });
  });

  test("refuses names that are not in the graph", () => {
    expect(() => range([], ["trian"])).toThrow('no stage "trian"');
  });
});
