/**
 * What differs between two runs: params, stages, artifacts, metrics, durations, engines, code, packages, environment. From
 * their records and, for code, packages and the inputs that stages were given, from the traces that the records name.
 *
 * Nothing is taken for equal that could not be looked at: where a trace is gone, `unknown` says of which stage and run.
 */
import { diffKeys } from "../identity/fingerprint.ts";
import { flattenJson } from "../identity/flatten-json.ts";
import type { EngineRecord, RunRecord, StageOutcome, StageRecord } from "../record.ts";
import { type RunStore, wholeRecord } from "./run-store.ts";
import type { Trace, TraceStore } from "./trace-store.ts";

export interface RunComparison {
  readonly before: ComparedRun;
  readonly after: ComparedRun;
  /** The pipeline's. */
  readonly params: readonly NamedChange[];
  /** As the stages got them, references resolved. */
  readonly stageParams: readonly StageChange[];
  /** Stages that only one of the runs has, or that ended otherwise. */
  readonly stages: readonly OutcomeChange[];
  /** Every metric of either run, those that are equal too. */
  readonly metrics: readonly MetricChange[];
  /** Outputs whose digest differs; `name` is the output's. */
  readonly artifacts: readonly StageChange[];
  /** Stages that both runs executed, or took from where they had been executed. */
  readonly durations: readonly DurationChange[];
  readonly engines: readonly StageChange[];
  /** Source files, by stage. */
  readonly code: readonly StageChange[];
  readonly packages: readonly StageChange[];
  /** Inputs that are no output of a stage: the user's own files, and collections of outputs (`train@*`). */
  readonly inputs: readonly StageChange[];
  readonly environment: readonly NamedChange[];
  readonly unknown: readonly UnknownPart[];
}

/** What names a run. */
export interface RunHead {
  readonly id: string;
  readonly name?: string;
  readonly pipeline: string;
  readonly profiles: readonly string[];
  readonly startedAt: string;
}

export interface ComparedRun extends RunHead {
  readonly durationMs: number;
  readonly exitCode: number;
  /** It found everything done. */
  readonly sameAs?: string;
}

export interface NamedChange {
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}

export interface StageChange extends NamedChange {
  readonly stage: string;
}

export interface OutcomeChange {
  readonly stage: string;
  readonly before?: StageOutcome;
  readonly after?: StageOutcome;
}

export interface MetricChange {
  readonly stage: string;
  readonly name: string;
  readonly before?: number;
  readonly after?: number;
  /** Where both runs have it. */
  readonly difference?: number;
}

export interface DurationChange {
  readonly stage: string;
  readonly beforeMs: number;
  readonly afterMs: number;
}

export interface UnknownPart {
  /** Absent where it is about the whole run. */
  readonly stage?: string;
  readonly runId: string;
  readonly reason: string;
}

interface Side {
  readonly record: RunRecord;
  readonly stages: ReadonlyMap<string, StageRecord>;
  readonly traceOf: (stage: StageRecord) => Trace | undefined;
}

export function compareRuns(
  { runs, traces }: { readonly runs: Pick<RunStore, "read">; readonly traces: TraceStore },
  before: RunRecord,
  after: RunRecord,
): RunComparison {
  const unknown: UnknownPart[] = [];
  const [old, now] = [before, after].map((record) => openSide(runs, traces, record, unknown)) as [Side, Side];
  const both: readonly (readonly [StageRecord, StageRecord])[] = [...old.stages.values()].flatMap((stage) => {
    const other = now.stages.get(stage.stage);
    return other === undefined ? [] : [[stage, other] as const];
  });
  const names = [...new Set([...old.stages.keys(), ...now.stages.keys()])];
  return {
    before: comparedRun(before),
    after: comparedRun(after),
    params: changes(flattenJson(old.record.params), flattenJson(now.record.params)),
    stageParams: perStage(both, ({ params }) => flattenJson(params)),
    stages: names.flatMap((stage) => outcomeChange(stage, old.stages.get(stage), now.stages.get(stage))),
    metrics: names.flatMap((stage) => compareMetrics(stage, old.stages.get(stage), now.stages.get(stage))),
    artifacts: perStage(both, ({ outputs }) => mapValues(outputs, ({ digest }) => digest)),
    durations: both.flatMap(([a, b]) =>
      lasted(a) && lasted(b) && a.durationMs !== b.durationMs
        ? [{ stage: a.stage, beforeMs: a.durationMs, afterMs: b.durationMs }]
        : [],
    ),
    engines: perStage(both, ({ engine }) => engineMembers(engine)),
    ...compareKeys(both, old, now, unknown),
    environment: changes(mapValues({ ...before.environment }, String), mapValues({ ...after.environment }, String)),
    unknown,
  };
}

function openSide(runs: Pick<RunStore, "read">, traces: TraceStore, record: RunRecord, unknown: UnknownPart[]): Side {
  const whole = wholeRecord(runs, record);
  if (whole === undefined)
    unknown.push({
      runId: record.id,
      reason: `it found everything done by the run ${record.sameAs}, whose record was removed`,
    });
  return {
    record: whole ?? record,
    stages: new Map((whole ?? record).stages.map((stage) => [stage.stage, stage])),
    traceOf({ fingerprint, outputs }) {
      const found = fingerprint === undefined ? [] : traces.find(fingerprint);
      const made = (trace: Trace) =>
        Object.entries(outputs).every(([name, { digest }]) => trace.outputs[name]?.digest === digest);
      return found.find(made) ?? found[0];
    },
  };
}

/** What only the key manifests know. */
function compareKeys(
  both: readonly (readonly [StageRecord, StageRecord])[],
  old: Side,
  now: Side,
  unknown: UnknownPart[],
): Pick<RunComparison, "code" | "packages" | "inputs"> {
  const code: StageChange[] = [];
  const packages: StageChange[] = [];
  const inputs: StageChange[] = [];
  const outputsOf = (side: Side) => [...side.stages.values()].flatMap(({ outputs }) => Object.values(outputs));
  const made = new Set([old, now].flatMap(outputsOf).map(({ digest }) => digest));
  const parts = { code, tool: code, command: code, package: packages } as const;
  for (const [a, b] of both) {
    // Equal fingerprints are equal keys.
    if (a.fingerprint !== undefined && a.fingerprint === b.fingerprint) continue;
    const sides = [
      [a, old],
      [b, now],
    ] as const;
    const [before, after] = sides.map(([stage, side]) => side.traceOf(stage));
    if (before === undefined || after === undefined) {
      for (const [index, [stage, { record }]] of sides.entries())
        if ([before, after][index] === undefined)
          unknown.push({ stage: stage.stage, runId: record.id, reason: reasonWithoutTrace(stage) });
      continue;
    }
    for (const { part, ...change } of diffKeys(before, after)) {
      if (part === "input") {
        // What a stage made is among the artifacts.
        const own = [change.before, change.after].every((digest) => digest === undefined || !made.has(digest));
        if (own) inputs.push({ stage: a.stage, ...change });
      } else if (part in parts) parts[part as keyof typeof parts].push({ stage: a.stage, ...change });
    }
  }
  return { code, packages, inputs };
}

function reasonWithoutTrace({ outcome }: StageRecord): string {
  switch (outcome) {
    case "failed":
    case "interrupted":
    case "skipped":
      return `it ${outcome === "skipped" ? "was skipped" : outcome === "failed" ? "failed" : "was interrupted"}, so its key was not kept`;
    default:
      return "its trace was removed from the store";
  }
}

function outcomeChange(stage: string, old?: StageRecord, now?: StageRecord): readonly OutcomeChange[] {
  const bad = (record: StageRecord | undefined) => record !== undefined && !lasted(record);
  if (old !== undefined && now !== undefined && (old.outcome === now.outcome || (!bad(old) && !bad(now)))) return [];
  return [
    {
      stage,
      ...(old === undefined ? {} : { before: old.outcome }),
      ...(now === undefined ? {} : { after: now.outcome }),
    },
  ];
}

export function compareMetrics(stage: string, old?: WithMetrics, now?: WithMetrics): readonly MetricChange[] {
  const names = [...new Set([...Object.keys(old?.metrics ?? {}), ...Object.keys(now?.metrics ?? {})])];
  return names.map((name) => {
    const before = old?.metrics[name];
    const after = now?.metrics[name];
    return {
      stage,
      name,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
      ...(before === undefined || after === undefined ? {} : { difference: after - before }),
    };
  });
}

type WithMetrics = Pick<StageRecord, "metrics">;

const lasted = ({ outcome }: StageRecord): boolean =>
  outcome === "ran" || outcome === "restored" || outcome === "fresh";

function engineMembers(engine: EngineRecord | undefined): Readonly<Record<string, string>> {
  return engine === undefined ? {} : mapValues({ ...engine }, String);
}

function perStage(
  both: readonly (readonly [StageRecord, StageRecord])[],
  part: (stage: StageRecord) => Readonly<Record<string, string>>,
): readonly StageChange[] {
  return both.flatMap(([a, b]) => changes(part(a), part(b)).map((change) => ({ stage: a.stage, ...change })));
}

function changes(old: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): readonly NamedChange[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => old[name] !== now[name])
    .map((name) => ({
      name,
      ...(old[name] === undefined ? {} : { before: old[name] }),
      ...(now[name] === undefined ? {} : { after: now[name] }),
    }));
}

function mapValues<T, U>(values: Readonly<Record<string, T | undefined>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, map(value)] as const])),
  );
}

export function runHead({ id, name, pipeline, profiles, startedAt }: RunRecord): RunHead {
  return { id, ...(name === undefined ? {} : { name }), pipeline, profiles, startedAt };
}

function comparedRun(record: RunRecord): ComparedRun {
  const { durationMs, exitCode, sameAs } = record;
  return { ...runHead(record), durationMs, exitCode, ...(sameAs === undefined ? {} : { sameAs }) };
}
