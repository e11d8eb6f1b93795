/** From what a run made to what a lock says of it. */
import type { Workspace } from "../execute/workspace.ts";
import {
  findResults,
  type Lock,
  type LockedResults,
  type LockedStage,
  lockSources,
  lockStage,
} from "../identity/lock.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";

/** What became of a stage, as records and traces have it. */
export interface StageResult {
  readonly fingerprint: string;
  readonly outputs: Outputs;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * What is locked of a stage that has this result. Where the lock says so already, its own words: a machine that makes the
 * same again changes nothing. Undefined where the store has no trace of it.
 */
export function lockResult(
  { traces }: Pick<Workspace, "traces">,
  stage: PipelineStage,
  result: StageResult,
  before: LockedStage | undefined,
): LockedStage | undefined {
  if (before !== undefined && isResult(before, result)) {
    const sources = lockSources(stage, Object.keys(before.key.inputs));
    return canonicalJson(sources) === canonicalJson(before.sources) ? before : { ...before, sources };
  }
  const trace = traces.find(result.fingerprint).find((one) => sameOutputs(one.outputs, result.outputs));
  return trace === undefined ? undefined : lockStage(stage, trace);
}

/** Whether a stage came to what is locked. */
export function isResult(locked: LockedStage, { fingerprint, outputs, metrics }: StageResult): boolean {
  return (
    locked.fingerprint === fingerprint &&
    sameOutputs(locked.outputs, outputs) &&
    canonicalJson(locked.metrics) === canonicalJson(metrics)
  );
}

type Outputs = LockedStage["outputs"];

function sameOutputs(a: Outputs, b: Outputs): boolean {
  return textOf(a) === textOf(b);
}

function textOf(outputs: Outputs): string {
  const plain = Object.entries(outputs).map(([name, { kind, digest, sizeBytes }]) => [name, [kind, digest, sizeBytes]]);
  return canonicalJson(Object.fromEntries(plain) as JsonValue);
}

/** Stages that are not among `made` keep what is locked of them; those that the pipeline does not have leave. */
export function withResults(
  lock: Lock | undefined,
  { name, profiles, stages }: Pipeline,
  made: ReadonlyMap<string, LockedStage>,
): Lock {
  const before = findResults(lock, profiles);
  const results: LockedResults = {
    profiles,
    stages: Object.fromEntries(
      stages.flatMap((stage) => {
        const locked = made.get(stage.name) ?? before?.stages[stage.name];
        return locked === undefined ? [] : [[stage.name, locked] as const];
      }),
    ),
  };
  return { pipeline: name, results: [...(lock?.results ?? []).filter((one) => one !== before), results] };
}
