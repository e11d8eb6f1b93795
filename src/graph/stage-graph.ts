/**
 * The graph of a pipeline's stages: who needs whom, and why. Orders are stable by the order of the file, so that plans
 * and screens read as it does. Pipelines come without circles: the language refuses them.
 */
import type { InputSource, Pipeline } from "../language/pipeline.ts";
import { orderStages } from "../language/stage-order.ts";

export interface StageGraph {
  /** Every stage after all that it needs. */
  readonly order: readonly string[];
  readonly edges: readonly StageEdge[];
  /** Stages that must be done before, each once, in file order of the mentions. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** The inverse of `needs`. */
  readonly neededBy: ReadonlyMap<string, readonly string[]>;
}

/** `to` needs `from`. */
export interface StageEdge {
  readonly from: string;
  readonly to: string;
  readonly why: { readonly by: "input"; readonly input: string; readonly output: string } | { readonly by: "after" };
}

export function buildStageGraph(pipeline: Pipeline): StageGraph {
  const names = pipeline.stages.map(({ name }) => name);
  const edges: StageEdge[] = [];
  for (const stage of pipeline.stages) {
    for (const [input, source] of Object.entries(stage.inputs)) {
      for (const { stage: from, output } of producersOf(source))
        edges.push({ from, to: stage.name, why: { by: "input", input, output } });
    }
    for (const earlier of stage.after) edges.push({ from: earlier, to: stage.name, why: { by: "after" } });
  }
  return graphOf(names, edges);
}

/** The outputs that an input reads. */
export function producersOf(source: InputSource): readonly { readonly stage: string; readonly output: string }[] {
  if (source.from === "stage") return [source];
  return source.from === "instances" ? source.members : [];
}

/** The graph of the named stages and all that they need. Throws on a name that is not in the graph. */
export function selectStages(graph: StageGraph, names: readonly string[]): StageGraph {
  const wanted = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const needs = graph.needs.get(name);
    if (needs === undefined) throw new Error(`no stage ${JSON.stringify(name)} in the graph`);
    if (wanted.has(name)) continue;
    wanted.add(name);
    waiting.push(...needs);
  }
  return graphOf(
    graph.order.filter((name) => wanted.has(name)),
    graph.edges.filter(({ to }) => wanted.has(to)),
  );
}

/** Stages in waves: each wave needs only earlier ones, and one of the wave just before. */
export function stageLevels(graph: StageGraph): readonly (readonly string[])[] {
  const levelOf = new Map<string, number>();
  const levels: string[][] = [];
  for (const name of graph.order) {
    let level = 0;
    for (const need of graph.needs.get(name)!) level = Math.max(level, levelOf.get(need)! + 1);
    levelOf.set(name, level);
    const wave = levels[level];
    if (wave === undefined) levels.push([name]);
    else wave.push(name);
  }
  return levels;
}

function graphOf(names: readonly string[], edges: readonly StageEdge[]): StageGraph {
  const needs = new Map<string, Set<string>>(names.map((name) => [name, new Set()]));
  const neededBy = new Map<string, Set<string>>(names.map((name) => [name, new Set()]));
  for (const { from, to } of edges) {
    needs.get(to)!.add(from);
    neededBy.get(from)!.add(to);
  }
  const lists = (sets: ReadonlyMap<string, ReadonlySet<string>>) =>
    new Map([...sets].map(([name, set]) => [name, [...set]] as const));
  const needLists = lists(needs);
  const { order, circles } = orderStages(names, (name) => needLists.get(name)!);
  if (circles.length > 0) throw new Error(`a circle of stages in a checked pipeline: ${circles[0]!.join(" -> ")}`);
  return { order, edges, needs: needLists, neededBy: lists(neededBy) };
}
