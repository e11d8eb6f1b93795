/**
 * Where two runs part: stage by stage in the order they ran, then inside a training epoch by epoch, then minibatch by
 * minibatch as its history recorded them, and down to the first tensor that differs; and what class of cause it has.
 *
 * A stage parts where its outputs differ and what it read does not, or where its own key differs too. Every other stage
 * whose outputs differ only follows.
 */
import { diffKeys } from "../identity/fingerprint.ts";
import { flattenJson } from "../identity/flatten-json.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { JsonValue } from "../json.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { RunRecord, StageRecord } from "../record.ts";
import type { ArtifactDifference, ContentComparer } from "./artifact-difference.ts";
import type { ArtifactStore } from "./artifact-store.ts";
import { compareArtifacts } from "./compare-artifacts.ts";
import { compareHistories, type TrainingParting } from "./compare-histories.ts";
import { type RunHead, runHead } from "./compare-runs.ts";
import { type RunStore, wholeRecord } from "./run-store.ts";
import type { StoreLayout } from "./store-layout.ts";
import type { Trace, TraceStore } from "./trace-store.ts";

export type CauseClass =
  | "data"
  | "code"
  | "params"
  | "package"
  | "engine"
  | "platform"
  | "nondeterminism"
  /** What the stage had is not known any more. */
  | "unknown";

export interface Bisection {
  readonly before: RunHead;
  readonly after: RunHead;
  /** The first of them is where the runs part. Empty where no output differs. */
  readonly partings: readonly Parting[];
  /** Stages that differ because what they read does. */
  readonly following: readonly string[];
  readonly same: readonly string[];
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

export interface Parting {
  readonly stage: string;
  readonly stageType: string;
  readonly causes: readonly Cause[];
  /** Stages that it reads and that differ as well. */
  readonly reads: readonly string[];
  readonly training?: TrainingParting;
  /** What its checkpoints tell, and what replaying it did. */
  readonly replay?: TrainingReplay;
  readonly differences: readonly ArtifactDifference[];
  /** It did not end alike: there is nothing to compare. */
  readonly ended?: { readonly before: string; readonly after: string };
}

export interface Cause {
  readonly class: CauseClass;
  /** Absent where it is no difference of keys. */
  readonly difference?: KeyDifference;
  /** What else there is to say. */
  readonly text?: string;
}

export interface TrainingReplay {
  /** The first place whose checkpoints, kept of both, differ: `epoch 3`. */
  readonly checkpoint?: { readonly name: string; readonly difference: ArtifactDifference };
  /** The earliest state in which both, executed again on this machine, differ. */
  readonly replayed?: {
    /** Both from 1. */
    readonly epoch: number;
    readonly minibatch: number;
    readonly of: number;
    readonly difference: ArtifactDifference;
  };
  /** Why nothing was found by replaying, or why it was not tried. */
  readonly stopped?: string;
}

/** One side of a training's parting. */
export interface TrainingSide {
  readonly record: StageRecord;
  readonly trace: Trace;
}

/** `training`: left out where the histories are equal. Undefined where there is nothing to add to them. */
export type ReplayTraining = (
  before: TrainingSide,
  after: TrainingSide,
  training: TrainingParting | undefined,
) => Promise<TrainingReplay | undefined>;

export interface BisectParts {
  readonly files: FileSystem;
  readonly layout: StoreLayout;
  readonly runs: Pick<RunStore, "read">;
  readonly traces: TraceStore;
  readonly artifacts: ArtifactStore;
  readonly comparer: ContentComparer;
  /** Left out: what is recorded is all that is told. */
  readonly replay?: ReplayTraining;
}

export async function bisectRuns(parts: BisectParts, before: RunRecord, after: RunRecord): Promise<Bisection> {
  const [old, now] = [before, after].map((record) => stagesOf(parts.runs, record)) as [Stages, Stages];
  const partings: Parting[] = [];
  const following: string[] = [];
  const same: string[] = [];
  const moved = new Set<string>();
  const made = new Set([...old.values(), ...now.values()].flatMap(({ outputs }) => digestsOf(outputs)));
  for (const [name, b] of now) {
    const a = old.get(name);
    if (a === undefined) continue;
    if (sameOutputs(a, b)) {
      same.push(name);
      continue;
    }
    moved.add(name);
    const reads = b.needs.filter((need) => moved.has(need));
    const causes = causesOf(parts.traces, a, b, { reads, made });
    if (causes.length === 0) {
      following.push(name);
      continue;
    }
    // What parts later may do so because of what parted before: only the first is worth the time of replaying it.
    const { replay: _replay, ...recorded } = parts;
    partings.push(await describeParting(partings.length === 0 ? parts : recorded, a, b, { causes, reads }));
  }
  return {
    before: runHead(before),
    after: runHead(after),
    partings,
    following,
    same,
    onlyBefore: [...old.keys()].filter((name) => !now.has(name)),
    onlyAfter: [...now.keys()].filter((name) => !old.has(name)),
  };
}

type Stages = ReadonlyMap<string, StageRecord>;

function stagesOf(runs: Pick<RunStore, "read">, record: RunRecord): Stages {
  return new Map((wholeRecord(runs, record) ?? record).stages.map((stage) => [stage.stage, stage]));
}

const digestsOf = (outputs: StageRecord["outputs"]): readonly string[] =>
  Object.values(outputs).map(({ digest }) => digest);

/** Of which there are some: a stage that failed twice is no evidence of anything. */
function sameOutputs({ outputs: a, outcome: ended }: StageRecord, { outputs: b, outcome }: StageRecord): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  if (names.size === 0) return ended === outcome;
  return [...names].every((name) => a[name]?.digest === b[name]?.digest);
}

/** Why a stage itself gives something else; empty where it only follows what it reads. */
function causesOf(
  traces: TraceStore,
  a: StageRecord,
  b: StageRecord,
  { reads, made }: { readonly reads: readonly string[]; readonly made: ReadonlySet<string> },
): readonly Cause[] {
  const [old, now] = [traceOf(traces, a), traceOf(traces, b)];
  if (old === undefined || now === undefined) return causesWithoutTraces(a, b, reads);
  // What a stage gave, alone or in a collection of a matrix's instances, is explained further up.
  const isRead = ({ part, before, after }: KeyDifference) =>
    part === "input" &&
    reads.length > 0 &&
    ([before, after].some((digest) => digest !== undefined && made.has(digest)) ||
      reads.some((name) => name.includes("@")));
  const causes = diffKeys(old, now)
    .filter((difference) => !isRead(difference))
    .map((difference): Cause => ({ class: classOf(difference), difference }));
  if (old.platformClass !== now.platformClass && (causes.length > 0 || reads.length === 0))
    return [...causes, { class: "platform", text: `${old.platformClass} -> ${now.platformClass}` }];
  if (causes.length > 0 || reads.length > 0) return causes;
  return [{ class: "nondeterminism", text: "the same key, on the same class of machines, gave another result" }];
}

function causesWithoutTraces(a: StageRecord, b: StageRecord, reads: readonly string[]): readonly Cause[] {
  if (a.fingerprint !== undefined && a.fingerprint === b.fingerprint) {
    if (reads.length > 0) return [];
    return [
      { class: "unknown", text: "one key gave two results, and on which machines is not known: traces are gone" },
    ];
  }
  const [old, now] = [flattenJson(a.params), flattenJson(b.params)];
  const params = [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => old[name] !== now[name])
    .map((name): Cause => {
      const [before, after] = [old[name], now[name]];
      const sides = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
      return { class: "params", difference: { part: "param", name, ...sides } };
    });
  if (params.length === 0 && reads.length > 0) return [];
  return [...params, { class: "unknown", text: "its traces are gone from the store: what else differed is not known" }];
}

function classOf({ part, name }: KeyDifference): CauseClass {
  switch (part) {
    case "input":
      return "data";
    case "param":
    case "env":
      return "params";
    case "command":
      return name === "text" || name === "shell" || name === "folder" || name.startsWith("name of ")
        ? "code"
        : "params";
    case "package":
      return "package";
    case "numerics":
      return "engine";
    case "code":
    case "stageType":
    case "tool":
    case "output":
    case "schema":
      return "code";
    default:
      return part satisfies never;
  }
}

function traceOf(traces: TraceStore, { fingerprint, outputs }: StageRecord): Trace | undefined {
  const found = fingerprint === undefined ? [] : traces.find(fingerprint);
  return found.find((trace) =>
    Object.entries(outputs).every(([name, { digest }]) => trace.outputs[name]?.digest === digest),
  );
}

async function describeParting(
  parts: BisectParts,
  a: StageRecord,
  b: StageRecord,
  found: Pick<Parting, "causes" | "reads">,
): Promise<Parting> {
  const head = { stage: b.stage, stageType: b.stageType, ...found };
  if (digestsOf(a.outputs).length === 0 || digestsOf(b.outputs).length === 0)
    return { ...head, differences: [], ended: { before: a.outcome, after: b.outcome } };
  const differences: ArtifactDifference[] = [];
  let training: TrainingParting | undefined;
  for (const [output, { kind, digest }] of Object.entries(b.outputs)) {
    const old = a.outputs[output];
    if (old === undefined || old.digest === digest) continue;
    if (kind === "history") training ??= compareHistories(readHistory(parts, old.digest), readHistory(parts, digest));
    differences.push(await compareOutput(parts, { output, kind }, old.digest, digest));
  }
  const [before, after] = [traceOf(parts.traces, a), traceOf(parts.traces, b)];
  const replay =
    before === undefined || after === undefined
      ? undefined
      : await parts.replay?.({ record: a, trace: before }, { record: b, trace: after }, training);
  return {
    ...head,
    ...(training === undefined ? {} : { training }),
    ...(replay === undefined ? {} : { replay }),
    differences,
  };
}

async function compareOutput(
  { files, layout, artifacts, comparer }: BisectParts,
  named: { readonly output: string; readonly kind: string },
  before: string,
  after: string,
): Promise<ArtifactDifference> {
  const damaged = (await artifacts.inspect(before)) ?? (await artifacts.inspect(after));
  const [old, now] = [artifacts.listing(before), artifacts.listing(after)];
  if (damaged !== undefined || old === undefined || now === undefined) {
    const unknown = damaged?.message ?? "the listing of one of them is lost";
    return { ...named, before, after, files: 0, differing: [], unknown };
  }
  const [a, b] = [
    { digest: before, listing: old, at: layout.object },
    { digest: after, listing: now, at: layout.object },
  ];
  return (await compareArtifacts({ files, comparer }, named, a, b))!;
}

const HISTORY_FILE = "history.json";

function readHistory({ artifacts }: BisectParts, digest: string): JsonValue | undefined {
  const bytes = artifacts.read(digest, HISTORY_FILE);
  try {
    return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as JsonValue);
  } catch {
    return undefined;
  }
}
