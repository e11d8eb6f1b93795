/** From the stages of a sweep's run to its trials: each with the metrics, the state and the epochs of its own instances. */
import { canonicalJson, type JsonObject, type JsonValue } from "../json.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { StageRecord, SweepRecord, TrialRecord } from "../record.ts";

/** What trials are judged by. */
export type Objective = NonNullable<SweepRecord["objective"]>;

export interface SweepSettings {
  readonly objective?: Objective;
  readonly seed?: number;
}

/** `records` may be of some stages only. */
export function recordSweep(
  { stages, sweep }: Pipeline,
  records: readonly StageRecord[],
  { objective, seed }: SweepSettings,
): SweepRecord {
  const trials = sweep?.trials ?? [];
  const byName = new Map(records.map((record) => [record.stage, record]));
  const groups = groupInstances(
    stages.filter(({ name }) => byName.has(name)),
    Object.keys(trials[0]?.values ?? {}),
  );
  const counted = new Set<string>();
  return {
    params: Object.keys(trials[0]?.values ?? {}),
    ...(seed === undefined ? {} : { seed }),
    ...(objective === undefined ? {} : { objective }),
    trials: trials.map(({ name, values }): TrialRecord => {
      const own = groups.flatMap((group) => group.instancesIn(values).map((stage) => byName.get(stage)!));
      return {
        name,
        values,
        ...stateOf(own),
        stages: own.map(({ stage }) => stage),
        metrics: Object.fromEntries(groups.flatMap((group) => metricsOf(group, values, byName))),
        ...epochsOf(own, counted),
      };
    }),
  };
}

interface InstanceGroup {
  /** The stage's name in the file. */
  readonly of: string;
  /** Several where the stage has a matrix of its own. */
  instancesIn(trial: JsonObject): readonly string[];
}

/** `axes` are those that tell trials apart. */
function groupInstances(stages: readonly PipelineStage[], axes: readonly string[]): readonly InstanceGroup[] {
  const groups = new Map<string, { readonly own: readonly string[]; readonly byValues: Map<string, string[]> }>();
  for (const { name, instance } of stages) {
    if (instance === undefined) continue;
    const group = groups.get(instance.of) ?? {
      own: axes.filter((axis) => Object.hasOwn(instance.values, axis)),
      byValues: new Map(),
    };
    groups.set(instance.of, group);
    const key = keyOf(instance.values, group.own);
    group.byValues.set(key, [...(group.byValues.get(key) ?? []), name]);
  }
  return [...groups].map(([of, { own, byValues }]) => ({
    of,
    instancesIn: (trial) => (own.length === 0 ? [] : (byValues.get(keyOf(trial, own)) ?? [])),
  }));
}

function keyOf(values: JsonObject, axes: readonly string[]): string {
  return canonicalJson(axes.map((axis): JsonValue => values[axis] ?? null));
}

function metricsOf(
  { of, instancesIn }: InstanceGroup,
  values: JsonObject,
  records: ReadonlyMap<string, StageRecord>,
): readonly (readonly [string, number])[] {
  const [first, ...others] = instancesIn(values);
  // Of several instances in one trial none is the trial's.
  if (first === undefined || others.length > 0) return [];
  return Object.entries(records.get(first)!.metrics).map(([name, value]) => [`${of}.${name}`, value] as const);
}

function stateOf(records: readonly StageRecord[]): Pick<TrialRecord, "state" | "failure"> {
  const failed = records.find(({ outcome }) => outcome === "failed");
  if (failed !== undefined) return { state: "failed", failure: `${stageOf(failed)}: ${failed.failure?.message ?? ""}` };
  if (records.some(({ outcome, reason }) => outcome === "interrupted" || reason === "the run was interrupted"))
    return { state: "interrupted" };
  const skipped = records.find(({ outcome }) => outcome === "skipped");
  if (skipped !== undefined) return { state: "failed", failure: `${stageOf(skipped)}: ${skipped.reason}` };
  return { state: "done" };
}

const stageOf = ({ stage }: StageRecord): string => stage.split("@")[0]!;

/** A training that several trials have in common counts as executed for the first of them. */
function epochsOf(
  records: readonly StageRecord[],
  counted: Set<string>,
): Pick<TrialRecord, "epochs" | "epochsTrained"> {
  const trainings = records.filter(
    ({ metrics, measurements }) => metrics.epochs !== undefined && measurements.epochsTrained !== undefined,
  );
  if (trainings.length === 0) return {};
  let epochsTrained = 0;
  for (const { stage, outcome, measurements } of trainings) {
    if (outcome === "ran" && !counted.has(stage)) epochsTrained += measurements.epochsTrained!;
    counted.add(stage);
  }
  return { epochsTrained, epochs: trainings.reduce((sum, { metrics }) => sum + metrics.epochs!, 0) };
}
