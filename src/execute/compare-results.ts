/**
 * Two sides of a pipeline's results beside each other, each a run or what is locked: which stages gave something else, and
 * why, followed from input to input to where the change begins. Keys are compared as locks have them, in which there is no
 * secret, so what comes out may be published.
 */
import type { ArtifactStore } from "../cache/artifact-store.ts";
import { compareMetrics, type MetricChange } from "../cache/compare-runs.ts";
import type {
  ChartChange,
  ChartPicture,
  ResultCause,
  ResultsName,
  StageResultChange,
  StageState,
} from "../cache/results-change.ts";
import type { Trace, TraceStore } from "../cache/trace-store.ts";
import { producersOf } from "../graph/stage-graph.ts";
import { diffKeys } from "../identity/fingerprint.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import { BUNDLE, diffLockedKeys, type LockedKey, type LockedResults, lockKey } from "../identity/lock.ts";
import { canonicalJson } from "../json.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { RunRecord, StageRecord } from "../record.ts";
import { describe } from "./lock-diagnostics.ts";

export interface ResultsSide {
  readonly name: ResultsName;
  readonly stages: ReadonlyMap<string, SideStage>;
}

export interface SideStage {
  readonly state: StageState;
  readonly reasons: readonly string[];
  /** Absent of a stage that failed, was skipped or was interrupted. */
  readonly result?: SideResult;
}

export interface SideResult {
  readonly fingerprint: string;
  readonly outputs: Readonly<Record<string, SideOutput>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** Absent where a run's trace is gone from the store. */
  readonly key?: LockedKey;
  /** The class of machines that made it. */
  readonly machine?: string;
  readonly trace?: Trace;
}

interface SideOutput {
  readonly kind: string;
  readonly digest: string;
}

type Traces = Pick<TraceStore, "find">;

/** `stateOf`: whether what is locked of a stage follows. */
export function sideOfLock(
  traces: Traces,
  name: ResultsName,
  { stages }: LockedResults,
  stateOf: (stage: string) => StageState,
): ResultsSide {
  const sides = Object.entries(stages).map(([stage, { fingerprint, outputs, metrics, key, machine }]) => {
    const trace = findTrace(traces, fingerprint, outputs);
    const result = { fingerprint, outputs, metrics, key, machine, ...(trace === undefined ? {} : { trace }) };
    return [stage, { state: stateOf(stage), reasons: [], result }] as const;
  });
  return { name, stages: new Map<string, SideStage>(sides) };
}

/** `earlier`: fingerprints of the last successes, for stages that were no part of the run. */
export function sideOfRun(
  traces: Traces,
  name: string | undefined,
  record: RunRecord,
  pipeline: Pipeline,
  earlier: Readonly<Record<string, string>> = {},
): ResultsSide {
  const known = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const stages = new Map<string, SideStage>();
  // What a run said of itself may name values of listed variables.
  const isSecret = (reason: string) =>
    reason.includes(" -> ") && pipeline.stages.some(({ env }) => Object.keys(env).length > 0);
  for (const one of record.stages) {
    const side = sideOfRecord(traces, one, known.get(one.stage));
    const reasons = one.failure === undefined ? side.reasons.filter((reason) => !isSecret(reason)) : side.reasons;
    stages.set(one.stage, { ...side, reasons });
  }
  for (const stage of pipeline.stages) {
    const fingerprint = earlier[stage.name];
    const trace = stages.has(stage.name) || fingerprint === undefined ? undefined : traces.find(fingerprint)[0];
    if (trace === undefined) continue;
    stages.set(stage.name, { state: "earlier", reasons: [], result: resultOfTrace(trace, stage) });
  }
  return { name: { what: "run", ...(name === undefined ? {} : { name }) }, stages };
}

function sideOfRecord(traces: Traces, record: StageRecord, stage: PipelineStage | undefined): SideStage {
  const { outcome, reason, failure, fingerprint, outputs, metrics } = record;
  if (outcome === "failed" || outcome === "skipped" || outcome === "interrupted" || fingerprint === undefined)
    return { state: outcome, reasons: [failure?.message ?? reason] };
  const trace = findTrace(traces, fingerprint, outputs);
  const reasons = outcome === "fresh" ? [] : [reason];
  if (trace !== undefined && stage !== undefined)
    return { state: outcome, reasons, result: resultOfTrace(trace, stage) };
  return { state: outcome, reasons, result: { fingerprint, outputs, metrics } };
}

function resultOfTrace(trace: Trace, stage: PipelineStage): SideResult {
  const { fingerprint, outputs, metrics, platformClass: machine } = trace;
  return { fingerprint, outputs, metrics, machine, key: lockKey(stage, trace), trace };
}

function findTrace(traces: Traces, fingerprint: string, outputs: SideResult["outputs"]): Trace | undefined {
  return traces.find(fingerprint).find((trace) => sameOutputs(trace.outputs, outputs));
}

function sameOutputs(a: SideResult["outputs"], b: SideResult["outputs"]): boolean {
  return textOf(a) === textOf(b);
}

function textOf(outputs: SideResult["outputs"]): string {
  return canonicalJson(Object.fromEntries(Object.entries(outputs).map(([name, { digest }]) => [name, digest])));
}

export interface ComparedResults {
  readonly stages: readonly StageResultChange[];
  readonly causes: readonly ResultCause[];
  readonly metrics: readonly MetricChange[];
}

/** `order`: the pipeline's stages, each behind those that it reads. */
export function compareResults(
  pipeline: Pipeline,
  order: readonly string[],
  before: ResultsSide | undefined,
  after: ResultsSide,
): ComparedResults {
  const known = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const roots = new Map<string, readonly ResultCause[]>();
  const gone = [...new Set([...after.stages.keys(), ...(before?.stages.keys() ?? [])])].filter(
    (name) => !known.has(name),
  );
  const names = [...order, ...gone].filter((name) => after.stages.has(name) || before?.stages.has(name));
  const stages = names.map((name): StageResultChange => {
    const [old, now] = [before?.stages.get(name), after.stages.get(name)];
    const state = now === undefined ? {} : { state: now.state };
    if (before === undefined || now === undefined)
      return {
        stage: name,
        ...state,
        ...(before === undefined ? {} : { result: "gone" }),
        reasons: now?.reasons ?? [],
      };
    if (now.result === undefined) return { stage: name, ...state, result: "unknown", reasons: now.reasons };
    if (old?.result === undefined) {
      roots.set(name, [{ stage: name, text: "new" }]);
      return { stage: name, ...state, result: "new", reasons: [] };
    }
    const isSame = sameOutputs(old.result.outputs, now.result.outputs) && sameMetrics(old.result, now.result);
    const explained = explain(known.get(name), name, old.result, now.result, roots, isSame);
    if (!isSame) roots.set(name, explained.roots);
    return { stage: name, ...state, result: isSame ? "same" : "other", reasons: explained.reasons };
  });
  const causes = new Map([...roots.values()].flat().map((cause) => [canonicalJson([cause.stage, cause.text]), cause]));
  return {
    stages,
    causes: [...causes.values()].filter(({ text }) => text !== "new"),
    metrics: names.flatMap((name) =>
      compareMetrics(name, before?.stages.get(name)?.result, after.stages.get(name)?.result),
    ),
  };
}

const sameMetrics = (a: SideResult, b: SideResult): boolean => canonicalJson(a.metrics) === canonicalJson(b.metrics);

/** In words; `roots` has those of the stages before it that gave something else. */
function explain(
  stage: PipelineStage | undefined,
  name: string,
  before: SideResult,
  after: SideResult,
  roots: ReadonlyMap<string, readonly ResultCause[]>,
  isSame: boolean,
): { readonly reasons: readonly string[]; readonly roots: readonly ResultCause[] } {
  const alone = (text: string) => ({ reasons: [text], roots: [{ stage: name, text }] });
  const differences = differencesOf(before, after);
  if (differences === undefined || (stage === undefined && differences.length > 0))
    return alone("what it was made from is not known any more");
  if (stage === undefined || differences.length === 0)
    return isSame ? { reasons: [], roots: [] } : alone(otherResult(before, after));
  const own: string[] = [];
  const found: ResultCause[] = [];
  // Inputs by where their change begins: a stage often reads several outputs of another.
  const inputs = new Map<string, string[]>();
  for (const difference of differences) {
    const source = difference.part === "input" ? stage.inputs[difference.name] : undefined;
    const farther = (source === undefined ? [] : producersOf(source)).flatMap((made) => roots.get(made.stage) ?? []);
    const [first] = farther;
    if (first === undefined) {
      const text = describe(difference, stage);
      own.push(text);
      found.push({ stage: name, text });
      continue;
    }
    found.push(...farther);
    const origin = `${first.stage}: ${first.text}`;
    inputs.set(origin, [...(inputs.get(origin) ?? []), difference.name]);
  }
  const changed = [...inputs].map(
    ([origin, ports]) => `${ports.length === 1 ? "input" : "inputs"} ${ports.join(", ")} changed (${origin})`,
  );
  return { reasons: [...own, ...changed], roots: found };
}

function otherResult(before: SideResult, after: SideResult): string {
  const elsewhere = before.machine !== after.machine && before.machine !== undefined && after.machine !== undefined;
  return elsewhere
    ? `the same key gave another result on another class of machines (${before.machine} -> ${after.machine})`
    : "the same key gave another result";
}

/** Undefined where one of the keys is not known. Modules are named where the store still knows them. */
function differencesOf(before: SideResult, after: SideResult): readonly KeyDifference[] | undefined {
  if (before.fingerprint === after.fingerprint) return [];
  if (before.key === undefined || after.key === undefined) return undefined;
  const differences = diffLockedKeys(before.key, after.key);
  if (before.trace === undefined || after.trace === undefined) return differences;
  const modules = diffKeys(before.trace, after.trace).filter(({ part }) => part === "code");
  return differences.flatMap((difference) =>
    difference.part === "code" && difference.name === BUNDLE && modules.length > 0 ? modules : [difference],
  );
}

/** Classes of machines that made what differs, where the sides are not of the same. */
export function machineNotes(before: ResultsSide | undefined, after: ResultsSide): readonly string[] {
  const classesOf = (side: ResultsSide | undefined) =>
    [...new Set([...(side?.stages.values() ?? [])].flatMap(({ result }) => result?.machine ?? []))].sort();
  const [old, now] = [classesOf(before), classesOf(after)];
  if (old.length === 0 || now.length === 0 || old.join() === now.join()) return [];
  return [
    `made on ${now.join(", ")}, before on ${old.join(", ")}: equal bits are promised within one class of machines`,
  ];
}

/** Every chart of either side, as pictures that the store still has. */
export function compareCharts(
  artifacts: Pick<ArtifactStore, "listing">,
  order: readonly string[],
  before: ResultsSide | undefined,
  after: ResultsSide,
): readonly ChartChange[] {
  return order.flatMap((stage) => {
    const [old, now] = [before?.stages.get(stage)?.result, after.stages.get(stage)?.result];
    const outputs = [...new Set([...Object.keys(old?.outputs ?? {}), ...Object.keys(now?.outputs ?? {})])].sort();
    return outputs.flatMap((output) => {
      const [a, b] = [old?.outputs[output], now?.outputs[output]];
      if (a?.kind !== CHARTS && b?.kind !== CHARTS) return [];
      const [was, is] = [picturesOf(artifacts, stage, a), picturesOf(artifacts, stage, b)];
      const names = [...new Set([...was.keys(), ...is.keys()])].sort();
      // Of a chart that no store here has, only the digest of all is known.
      if (names.length === 0) return [{ stage, name: output, isSame: a?.digest === b?.digest }];
      return names.map((name): ChartChange => {
        const [x, y] = [was.get(name), is.get(name)];
        return {
          stage,
          name,
          ...(x === undefined ? {} : { before: x }),
          ...(y === undefined ? {} : { after: y }),
          isSame: a?.digest === b?.digest || x?.file === y?.file,
        };
      });
    });
  });
}

const CHARTS = "charts";

/** By name of chart: a PNG, which shows everywhere, before an SVG. */
function picturesOf(
  artifacts: Pick<ArtifactStore, "listing">,
  stage: string,
  output: SideOutput | undefined,
): ReadonlyMap<string, ChartPicture> {
  const pictures = new Map<string, ChartPicture>();
  if (output?.kind !== CHARTS) return pictures;
  const files = artifacts.listing(output.digest)?.files ?? [];
  for (const ending of [".svg", ".png"])
    for (const { path, digest } of files) {
      if (!path.endsWith(ending)) continue;
      const name = path.slice(0, -ending.length);
      const file = `${fileWord(stage)}-${fileWord(name)}-${digest.slice(0, 12)}${ending}`;
      pictures.set(name, { artifact: output.digest, path, file });
    }
  return pictures;
}

/** What needs no quoting in a link. */
const fileWord = (text: string): string => text.replaceAll(/[^A-Za-z0-9.-]+/g, "_");
