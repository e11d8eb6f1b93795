/**
 * Garbage collection: what nothing refers to any more, and what the user's limits let go. Marked is what a pipeline's
 * last run had, what kept and pinned runs had, and all that their artifacts reference.
 *
 * Traces go before objects, so that a trace which can be read stays a promise even if the collector is killed half-way.
 * Nobody may run meanwhile (run-lease.ts): what a run needs no record names yet.
 */
import { basename, join } from "node:path";
import { findUnusedCode } from "../identity/user-code.ts";
import type { FileSystem } from "../platform/file-system.ts";
import { findForgotten } from "./ledger.ts";
import {
  measure,
  type StoreSurvey,
  type SurveyedCheckpoint,
  type SurveyedRun,
  type SurveyedStore,
  surveyStore,
} from "./survey-store.ts";

export const GARBAGE_KINDS = [
  "checkpoints",
  "scratch",
  "leftovers",
  "quarantine",
  "objects",
  "traces",
  "ledger",
  "runs",
  "code",
] as const;
export type GarbageKind = (typeof GARBAGE_KINDS)[number];

export interface GarbageLimits {
  /** Of each pipeline and its profiles, the newest runs that did something. */
  readonly keepLast?: number;
  /** With `keepLast`, a run goes when it is both older and beyond the last ones. Downloads go when they are older. */
  readonly olderThanMs?: number;
  /** Checkpoints and downloads go first, then the oldest runs, until the store is no larger. */
  readonly maxSizeBytes?: number;
}

export interface Garbage {
  readonly kind: GarbageKind;
  readonly path: string;
  readonly sizeBytes: number;
}

export interface GarbagePlan {
  readonly garbage: readonly Garbage[];
  readonly freedBytes: number;
  /** Of the store, before. */
  readonly storeBytes: number;
  /** What would go beside it if only the last run of each pipeline were kept. */
  readonly moreBytes: number;
}

/** Looks only. `nowMs`: the time of day. */
export function findGarbage(store: SurveyedStore, limits: GarbageLimits, nowMs: number): GarbagePlan {
  const survey = surveyStore(store);
  const storeBytes = measure(store.files, store.layout.root);
  const plain = [...findLeftovers(store, nowMs), ...findCode(store)];
  const weigh = (
    dropped: ReadonlySet<string>,
    isDropped: IsDropped,
    scratchMs = limits.olderThanMs ?? Number.POSITIVE_INFINITY,
  ) => {
    const scratch = findScratch(store, nowMs - scratchMs);
    const garbage = [...plain, ...scratch, ...findUnmarked(store, survey, dropped, isDropped)];
    return { garbage, freedBytes: garbage.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  };
  const removable = survey.runs.filter(({ id }) => !isHeld(survey, id));
  const resumableMs = resumableSince(survey.runs);
  // A training that no run is kept of is over, but for one that was stopped.
  const isPast: IsDropped = ({ savedMs, kept, base }, bases) =>
    !kept || (savedMs < resumableMs && (base === undefined || !bases.has(base)));
  const all = () => true;
  const beyond = removable.filter(beyondLimits(survey.runs, limits, nowMs)).map(({ id }) => id);
  let found = weigh(new Set(beyond), isPast);
  const fits = ({ freedBytes }: { readonly freedBytes: number }) =>
    limits.maxSizeBytes === undefined || storeBytes - freedBytes <= limits.maxSizeBytes;
  if (!fits(found)) {
    // The least number of old runs that is enough; more never frees less.
    const oldest = removable.map(({ id }) => id).reverse();
    const without = (count: number) =>
      weigh(new Set([...beyond, ...oldest.slice(0, count)]), all, Number.NEGATIVE_INFINITY);
    let [low, high] = [0, oldest.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (fits(without(middle))) high = middle;
      else low = middle + 1;
    }
    found = without(low);
  }
  const last = removable.filter(beyondLimits(survey.runs, { keepLast: 1 }, nowMs)).map(({ id }) => id);
  const most = weigh(new Set([...beyond, ...last]), isPast);
  return { ...found, storeBytes, moreBytes: Math.max(0, most.freedBytes - found.freedBytes) };
}

/** In the order that is safe at every moment. */
export function removeGarbage(files: FileSystem, garbage: readonly Garbage[]): void {
  for (const kind of REMOVAL_ORDER) for (const one of garbage) if (one.kind === kind) files.remove(one.path);
}

const REMOVAL_ORDER: readonly GarbageKind[] = [
  "checkpoints",
  "scratch",
  "leftovers",
  "quarantine",
  "runs",
  "traces",
  "ledger",
  "objects",
  "code",
];

/** `bases`: what the checkpoints of kept runs belong to. */
type IsDropped = (
  checkpoint: Pick<SurveyedCheckpoint, "savedMs" | "kept" | "base">,
  bases: ReadonlySet<string>,
) => boolean;

function isHeld(survey: StoreSurvey, id: string): boolean {
  return survey.pins.has(id) || survey.lastRuns.has(id);
}

function beyondLimits(
  runs: readonly SurveyedRun[],
  { keepLast, olderThanMs }: GarbageLimits,
  nowMs: number,
): (run: SurveyedRun) => boolean {
  const newer = new Map<string, number>();
  const ranks = new Map<string, number>();
  for (const { id, group = "", idle } of runs) {
    const rank = newer.get(group) ?? 0;
    ranks.set(id, rank);
    if (!idle) newer.set(group, rank + 1);
  }
  return ({ id, startMs }) => {
    if (keepLast === undefined && olderThanMs === undefined) return false;
    const isLate = keepLast === undefined || ranks.get(id)! >= keepLast;
    const isOld = olderThanMs === undefined || (startMs !== undefined && nowMs - startMs > olderThanMs);
    return isLate && isOld;
  };
}

/** A run that was stopped goes on from its checkpoints: those since the first of a pipeline's runs in vain. */
function resumableSince(runs: readonly SurveyedRun[]): number {
  let since = Number.POSITIVE_INFINITY;
  const succeeded = new Set<string>();
  for (const { group, startMs, succeeded: well } of runs) {
    if (group === undefined) continue;
    if (well) succeeded.add(group);
    else if (!succeeded.has(group)) since = Math.min(since, startMs ?? 0);
  }
  return since;
}

function findUnmarked(
  { files, layout }: Pick<SurveyedStore, "files" | "layout">,
  survey: StoreSurvey,
  dropped: ReadonlySet<string>,
  isDropped: IsDropped,
): readonly Garbage[] {
  const kept = new Set(survey.runs.filter(({ id }) => !dropped.has(id)).map(({ id }) => id));
  // A run that had nothing to do is told by the one that made what it found.
  for (const { id, sameAs } of survey.runs) if (kept.has(id) && sameAs !== undefined) kept.add(sameAs);
  const runs = survey.runs.filter(({ id }) => kept.has(id));
  const fingerprints = new Set([...survey.lastFingerprints, ...runs.flatMap((run) => run.fingerprints)]);
  const reached = new Set<string>();
  for (const run of runs) for (const digest of run.digests) survey.reach(digest, reached);
  for (const [fingerprint, { digests, code }] of survey.traces) {
    if (!fingerprints.has(fingerprint)) continue;
    for (const digest of digests) survey.reach(digest, reached);
    for (const digest of code) reached.add(digest);
  }
  const bases = new Set(
    [...survey.traces].flatMap(([fingerprint, traces]) =>
      fingerprints.has(fingerprint) ? traces.checkpointBases : [],
    ),
  );
  const passed = new Set(survey.checkpoints.filter((checkpoint) => isDropped(checkpoint, bases)));
  for (const checkpoint of survey.checkpoints)
    if (!passed.has(checkpoint) && checkpoint.digest !== undefined) survey.reach(checkpoint.digest, reached);
  const partials = survey.partials.filter(({ savedMs }) => isDropped({ savedMs, kept: true, base: undefined }, bases));
  return [
    ...[...passed, ...partials].map(({ path, sizeBytes }) => garbage("checkpoints", path, sizeBytes)),
    ...[...survey.objects]
      .filter(([digest]) => !reached.has(digest))
      .map(([digest, sizeBytes]) => garbage("objects", layout.object(digest), sizeBytes)),
    ...[...survey.traces]
      .filter(([fingerprint]) => !fingerprints.has(fingerprint))
      .map(([fingerprint, { sizeBytes }]) => garbage("traces", layout.traces(fingerprint), sizeBytes)),
    ...[...survey.traces]
      .filter(([fingerprint]) => fingerprints.has(fingerprint))
      .flatMap(([, { repeated }]) => repeated.map(({ path, sizeBytes }) => garbage("traces", path, sizeBytes))),
    ...findForgotten(
      files,
      layout,
      (fingerprint) => fingerprints.has(fingerprint) && survey.traces.has(fingerprint),
    ).map((path) => garbage("ledger", path, measure(files, path))),
    ...survey.runs
      .filter(({ id }) => !kept.has(id))
      .map(({ id, sizeBytes }) => garbage("runs", layout.run(id), sizeBytes)),
  ];
}

/**
 * What dead processes of this host left in `tmp/` goes whenever the store is opened; of other hosts, after a day. Of
 * pipelines as they were last read, which nobody missed for a month, only the parsing is lost.
 */
function findLeftovers(store: SurveyedStore, nowMs: number): readonly Garbage[] {
  const { files } = store;
  const kept = pathsIn(store, "memo").filter((path) => basename(path).startsWith("pipeline-"));
  const old = [
    ...pathsIn(store, "tmp").filter((path) => changedMs(files, path) < nowMs - DAY_MS),
    ...kept.filter((path) => changedMs(files, path) < nowMs - MONTH_MS),
  ];
  return [
    ...old.map((path) => garbage("leftovers", path, measure(files, path))),
    ...pathsIn(store, "quarantine").map((path) => garbage("quarantine", path, measure(files, path))),
  ];
}

/** What stages keep for their next execution, such as downloads, and did not change since. */
function findScratch(store: SurveyedStore, beforeMs: number): readonly Garbage[] {
  const { files } = store;
  const found = pathsIn(store, "scratch").flatMap((home) => files.list(home).map((name) => join(home, name)));
  const inside = found.flatMap((path) => {
    const names = files.stat(path)?.kind === "folder" ? files.list(path) : [];
    return names.length === 0 ? [path] : names.map((name) => join(path, name));
  });
  return inside
    .filter((path) => changedMs(files, path) < beforeMs)
    .map((path) => garbage("scratch", path, measure(files, path)));
}

function pathsIn({ files, layout }: SurveyedStore, folder: string): readonly string[] {
  return files.list(join(layout.root, folder)).map((name) => join(layout.root, folder, name));
}

function changedMs(files: FileSystem, path: string): number {
  return Number((files.stat(path)?.mtimeNs ?? 0n) / 1_000_000n);
}

function findCode({ files, layout }: SurveyedStore): readonly Garbage[] {
  return findUnusedCode(files, join(layout.root, "code")).map((path) => garbage("code", path, measure(files, path)));
}

const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;

function garbage(kind: GarbageKind, path: string, sizeBytes: number): Garbage {
  return { kind, path, sizeBytes };
}
