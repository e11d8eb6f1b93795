/**
 * Stages to instances. A stage with a `matrix` of its own has an instance per combination. The pipeline's matrix fans
 * out the stages that refer to its axes, and those that read such a stage, each over the axes that reach it and no
 * others: what does not depend on an axis is done once.
 */
import { quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { canonicalJson } from "../json.ts";
import { toJson } from "./located.ts";
import { type Combination, combinationName, type Matrix } from "./matrix.ts";

const MOST_INSTANCES = 20_000;

export interface FannedStage {
  /** In the order of names; empty where the stage is single. */
  readonly axes: readonly string[];
  readonly instances: readonly StageInstance[];
  /** By `instanceKey`. */
  readonly byValues: ReadonlyMap<string, StageInstance>;
}

export interface StageInstance {
  /** `train@lr=0.1,seed=2`; of a single stage its own name. */
  readonly name: string;
  /** `lr=0.1,seed=2`; empty of a single stage. */
  readonly suffix: string;
  readonly values: Combination;
}

/** A stage as fanning out sees it. */
export interface StageToFan {
  readonly name: string;
  readonly span: Span;
  readonly matrix?: Matrix;
  /** Axes that its values refer to. */
  readonly axes: ReadonlySet<string>;
  /** Stages whose outputs it reads one by one. */
  readonly reads: readonly string[];
}

export function fanOut(
  stages: readonly StageToFan[],
  common: Matrix | undefined,
  report: ReportDiagnostic,
): ReadonlyMap<string, FannedStage> {
  const reached = reachOfAxes(stages, common);
  const fanned = new Map<string, FannedStage>();
  let count = 0;
  for (const stage of stages) {
    const axes = reached.get(stage.name) ?? [];
    for (const axis of stage.matrix?.axes ?? []) {
      if (common?.spans.has(axis) !== true) continue;
      const words = { problem: `the axis ${quote(axis)} is one of the pipeline's matrix already` };
      const notes = [{ message: "it is here", span: common.spans.get(axis)! }];
      report(diagnose("language/bad-matrix", words, stage.matrix!.spans.get(axis)!, notes));
    }
    const outer = common === undefined || axes.length === 0 ? [NONE] : project(common, axes);
    const own = stage.matrix?.combinations ?? [NONE];
    count += outer.length * own.length;
    if (count > MOST_INSTANCES) {
      const words = { what: "the matrices make too many stages", limit: `${MOST_INSTANCES}` };
      report(diagnose("language/too-large", words, stage.span));
      return fanned;
    }
    const instances = outer.flatMap((one) => own.map((other) => instanceOf(stage.name, new Map([...one, ...other]))));
    const all = [...axes, ...(stage.matrix?.axes ?? [])];
    const byValues = new Map(
      all.length === 0 ? [] : instances.map((instance) => [instanceKey(instance.values, all)!, instance]),
    );
    fanned.set(stage.name, { axes: all, instances, byValues });
  }
  return fanned;
}

const NONE: Combination = new Map();

function instanceOf(stage: string, values: Combination): StageInstance {
  if (values.size === 0) return { name: stage, suffix: "", values };
  const suffix = combinationName(values);
  return { name: `${stage}@${suffix}`, suffix, values };
}

/** The instance of `target` with the values that `values` has; undefined where it has none, or lacks an axis. */
export function matchInstance(target: FannedStage, values: Combination): StageInstance | undefined {
  if (target.axes.length === 0) return target.instances[0];
  const key = instanceKey(values, target.axes);
  return key === undefined ? undefined : target.byValues.get(key);
}

function instanceKey(values: Combination, axes: readonly string[]): string | undefined {
  const parts: string[] = [];
  for (const axis of axes) {
    const value = values.get(axis);
    if (value === undefined) return undefined;
    parts.push(canonicalJson(toJson(value)));
  }
  return JSON.stringify(parts);
}

/** Axes of the pipeline's matrix by stage, where any reach it: those it refers to, and those of what it reads. */
function reachOfAxes(
  stages: readonly StageToFan[],
  common: Matrix | undefined,
): ReadonlyMap<string, readonly string[]> {
  if (common === undefined) return new Map();
  const reached = new Map<string, Set<string>>();
  const readers = new Map<string, string[]>();
  const own = new Map(stages.map(({ name, matrix }) => [name, new Set(matrix?.axes ?? [])]));
  const waiting: string[] = [];
  for (const { name, axes, reads } of stages) {
    const referred = common.axes.filter((axis) => axes.has(axis) && !own.get(name)!.has(axis));
    reached.set(name, new Set(referred));
    if (referred.length > 0) waiting.push(name);
    for (const read of reads) {
      const known = readers.get(read);
      if (known === undefined) readers.set(read, [name]);
      else known.push(name);
    }
  }
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const reader of readers.get(name) ?? []) {
      const axes = reached.get(reader)!;
      const before = axes.size;
      for (const axis of reached.get(name)!) if (!own.get(reader)!.has(axis)) axes.add(axis);
      if (axes.size > before) waiting.push(reader);
    }
  }
  return new Map([...reached].map(([name, axes]) => [name, common.axes.filter((axis) => axes.has(axis))]));
}

/** The combinations of some axes only, each once. */
function project(matrix: Matrix, axes: readonly string[]): readonly Combination[] {
  const seen = new Set<string>();
  return matrix.combinations.flatMap((combination) => {
    const part = new Map(axes.map((axis) => [axis, combination.get(axis)!]));
    const key = instanceKey(part, axes)!;
    if (seen.has(key)) return [];
    seen.add(key);
    return [part];
  });
}
