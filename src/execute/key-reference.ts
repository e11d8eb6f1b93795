/**
 * What a stage's key is compared with: its last success in a pipeline, what it had in a given run, or the key it would
 * have in another pipeline. Traces hold the manifests; where one is gone from the store the answer says so.
 */
import { type RunStore, wholeRecord } from "../cache/run-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { ComparedKey } from "../identity/explanation.ts";
import type { KeyedCode } from "../identity/fingerprint.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { RunRecord } from "../record.ts";
import { readLastRun } from "./last-run.ts";
import type { Workspace } from "./workspace.ts";

export interface KeyReference {
  /** `consumer` is the stage's reader, where the question is why an input of that one changed. */
  keyOf(stage: string, consumer?: ConsumedBy): Promise<ReferenceKey>;
}

export interface ConsumedBy {
  readonly key: KnownKey;
  /** The digests that the reader's key has of this stage's outputs. */
  readonly digests: readonly string[];
}

export type ReferenceKey = KnownKey | { readonly missing: string };

export interface KnownKey {
  readonly key: KeyedCode;
  readonly label: ComparedKey;
  /** Ports of which the digest is not known: what makes them has not run. */
  readonly undecided: ReadonlySet<string>;
  readonly trace?: Trace;
}

type Parts = Pick<Workspace, "files" | "layout" | "traces">;

/** The last success of each stage in this pipeline and its profiles. */
export function lastSuccesses(workspace: Parts, runs: RunStore, pipeline: Pipeline): KeyReference {
  const last = readLastRun(workspace, pipeline)?.stages ?? {};
  const label = createLabels(runs, pipeline);
  const traceOf = (fingerprint: string | undefined, digests: readonly string[]): Trace | undefined => {
    const traces = fingerprint === undefined ? [] : workspace.traces.find(fingerprint);
    return traces.find((trace) => makes(trace, digests)) ?? traces[0];
  };
  return {
    async keyOf(stage, consumer) {
      const digests = consumer?.digests ?? [];
      const fingerprint = last[stage];
      const trace = traceOf(fingerprint, digests);
      if (trace !== undefined && makes(trace, digests)) return known(trace, label(trace));
      // The stage may have succeeded once more since its reader did: then what counts is what the reader had.
      const reader = consumer?.key.trace;
      if (reader !== undefined && digests.length > 0) {
        const then = runs.readStage(reader.runId, stage);
        const found = traceOf(then?.fingerprint, digests);
        if (found !== undefined && makes(found, digests)) return known(found, label(found));
        if (then !== undefined) return { missing: GONE };
        return {
          missing: runs.read(reader.runId) === undefined ? FORGOTTEN : "its reader was made by a run without it",
        };
      }
      if (trace !== undefined) return known(trace, label(trace));
      return { missing: fingerprint === undefined ? "it has never run" : GONE };
    },
  };
}

/** What each stage had in one run. */
export function keysOfRun(workspace: Parts, runs: RunStore, record: RunRecord): KeyReference {
  const whole = wholeRecord(runs, record);
  return {
    async keyOf(stage) {
      if (whole === undefined)
        return { missing: `that run found everything done by ${record.sameAs}, whose record is gone` };
      const found = whole.stages.find((one) => one.stage === stage);
      if (found === undefined) return { missing: "it was not part of that run" };
      if (found.outcome === "skipped") return { missing: "it was skipped in that run" };
      const traces = found.fingerprint === undefined ? [] : workspace.traces.find(found.fingerprint);
      const digests = Object.values(found.outputs).map(({ digest }) => digest);
      const trace = traces.find((one) => makes(one, digests)) ?? traces[0];
      if (trace !== undefined) return known(trace, labelOfRun(record));
      return {
        missing:
          found.outcome === "ran" || found.outcome === "fresh" || found.outcome === "restored"
            ? GONE
            : `it ${found.outcome === "failed" ? "failed" : "was interrupted"} in that run, so its key was not kept`,
      };
    },
  };
}

/** Another pipeline, or other profiles: what last succeeded there, else what would run there. */
export function keysOfPipeline(
  successes: KeyReference,
  pipeline: Pipeline,
  currentKey: (stage: string) => Promise<{ readonly key: KeyedCode; readonly undecided: ReadonlySet<string> } | string>,
): KeyReference {
  const names = new Set(pipeline.stages.map(({ name }) => name));
  return {
    async keyOf(stage, consumer) {
      if (!names.has(stage)) return { missing: `${nameOf(pipeline)} has no such stage` };
      const success = await successes.keyOf(stage, consumer);
      if (!("missing" in success)) return success;
      const current = await currentKey(stage);
      if (typeof current === "string") return { missing: current };
      return { ...current, label: { pipeline: pipeline.name, profiles: pipeline.profiles } };
    },
  };
}

export function labelOfRun(record: RunRecord): ComparedKey {
  return {
    pipeline: record.pipeline,
    profiles: record.profiles,
    runId: record.id,
    ...(record.name === undefined ? {} : { runName: record.name }),
    madeAt: record.startedAt,
  };
}

const FORGOTTEN =
  "what it had when its reader ran is not known any more: that record or trace was removed from the store";
const GONE = "its trace was removed from the store (pipe gc), so what it had is not known any more";

function known(trace: Trace, label: ComparedKey): KnownKey {
  return { key: trace, label, undecided: new Set(), trace };
}

function makes(trace: Trace, digests: readonly string[]): boolean {
  const made = new Set(Object.values(trace.outputs).map(({ digest }) => digest));
  return digests.every((digest) => made.has(digest));
}

/** By the run that made a trace; records are read once. */
function createLabels(runs: RunStore, pipeline: Pipeline): (trace: Trace) => ComparedKey {
  const records = new Map<string, RunRecord | undefined>();
  return ({ runId, madeAt }) => {
    if (!records.has(runId)) records.set(runId, runs.read(runId));
    const record = records.get(runId);
    if (record !== undefined) return labelOfRun(record);
    return { pipeline: pipeline.name, profiles: pipeline.profiles, runId, madeAt };
  };
}

function nameOf({ name, profiles }: Pipeline): string {
  return [name, ...profiles].join("@");
}
