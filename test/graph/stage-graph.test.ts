import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildStageGraph, selectStages, stageLevels } from "../../src/graph/stage-graph.ts";
import type { InputSource, Pipeline, PipelineStage } from "../../src/language/pipeline.ts";

const span = { file: "x", start: 0, end: 0 };

function stage(
  name: string,
  inputs: Readonly<Record<string, string>> = {},
  after: readonly string[] = [],
): PipelineStage {
  const sources = Object.entries(inputs).map(([port, text]): [string, InputSource] => {
    const [from, output] = text.split(".") as [string, string];
    return [port, { from: "stage", stage: from, output }];
  });
  const spans = { name: span, params: {}, inputs: {} };
  return {
    ...{ name, type: "x", params: {}, inputs: Object.fromEntries(sources), outputs: {}, after, facts: {}, spans },
    ...{ execution: { retries: 0, cache: true, frozen: false }, env: {} },
  };
}

const pipeline = (...stages: PipelineStage[]): Pipeline => ({
  name: "p",
  file: "x",
  folder: "/",
  profiles: [],
  availableProfiles: [],
  params: {},
  stages,
});

const job = pipeline(
  stage("plot", { history: "train.history", examples: "normalize.test" }),
  stage("fetch"),
  stage("normalize", { train: "fetch.train", test: "fetch.test" }),
  stage("model"),
  stage("train", { model: "model.model", train: "normalize.train" }),
  stage("clean", {}, ["plot"]),
);

describe("the stage graph", () => {
  test("puts every stage after what it needs, in file order otherwise", () => {
    expect(buildStageGraph(job).order).toEqual(["model", "fetch", "normalize", "train", "plot", "clean"]);
  });

  test("keeps file order where it already holds", () => {
    const names = ["z", "a", "m", "b"];
    const inOrder = pipeline(...names.map((name, i) => stage(name, {}, i > 1 ? [names[i - 2]!] : [])));
    expect(buildStageGraph(inOrder).order).toEqual(names);
  });

  test("says why each edge is there", () => {
    const { edges, needs, neededBy } = buildStageGraph(job);
    expect(edges).toContainEqual({
      from: "fetch",
      to: "normalize",
      why: { by: "input", input: "test", output: "test" },
    });
    expect(edges).toContainEqual({ from: "plot", to: "clean", why: { by: "after" } });
    expect(needs.get("normalize")).toEqual(["fetch"]);
    expect(neededBy.get("normalize")).toEqual(["plot", "train"]);
  });

  test("selects stages with all they need, and nothing else", () => {
    const selected = selectStages(buildStageGraph(job), ["train"]);
    expect(selected.order).toEqual(["model", "fetch", "normalize", "train"]);
    expect(selected.edges.every(({ to }) => to !== "plot")).toBe(true);
    expect(selected.neededBy.get("train")).toEqual([]);
  });

  test("refuses to select what is not there", () => {
    expect(() => selectStages(buildStageGraph(job), ["nothing"])).toThrow(/nothing/);
  });

  test("has levels: as early as possible, never beside a need", () => {
    expect(stageLevels(buildStageGraph(job))).toEqual([
      ["model", "fetch"],
      ["normalize"],
      ["train"],
      ["plot"],
      ["clean"],
    ]);
  });

  test("orders any graph without circles", () => {
    const graph = fc
      .integer({ min: 1, max: 30 })
      .chain((count) =>
        fc.tuple(
          fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count }),
          fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 60 }),
        ),
      );
    fc.assert(
      fc.property(graph, ([fileOrder, pairs]) => {
        const needs = new Map<number, Set<number>>(fileOrder.map((i) => [i, new Set()]));
        for (const [a, b] of pairs) if (a !== b) needs.get(Math.max(a, b))!.add(Math.min(a, b));
        const stages = fileOrder.map((i) =>
          stage(
            `s${i}`,
            {},
            [...needs.get(i)!].map((need) => `s${need}`),
          ),
        );
        const { order } = buildStageGraph(pipeline(...stages));
        expect([...order].sort()).toEqual(stages.map(({ name }) => name).sort());
        for (const { name, after } of stages)
          for (const need of after) expect(order.indexOf(need)).toBeLessThan(order.indexOf(name));
      }),
    );
  });

  test("takes a chain of ten thousand stages", () => {
    const chain = Array.from({ length: 10_000 }, (_, i) => stage(`s${i}`, {}, i === 0 ? [] : [`s${i - 1}`])).reverse();
    const { order } = buildStageGraph(pipeline(...chain));
    expect(order[0]).toBe("s0");
    expect(order.at(-1)).toBe("s9999");
  });
});
