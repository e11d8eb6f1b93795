/**
 * What is in a store and what refers to what, read once and without changing anything: the ground on which garbage is
 * told from what is needed. What cannot be read refers to nothing; it is never a reason to fail.
 */
import { basename, join } from "node:path";
import type { StageFinished } from "../events.ts";
import { type Listing, parseListing } from "../identity/listing.ts";
import { canonicalJson } from "../json.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { StageRecord } from "../record.ts";
import { REFERENCES_FILE } from "./artifact-store.ts";
import { PARTIAL_FOLDER, parseCheckpointEntry } from "./checkpoint-store.ts";
import { didNothing, type RunStore } from "./run-store.ts";
import type { StoreLayout } from "./store-layout.ts";
import { parseTrace, type Trace } from "./trace-store.ts";

export interface SurveyedRun {
  readonly id: string;
  /** Pipeline and profiles; undefined where nothing of it can be read. */
  readonly group: string | undefined;
  /** Undefined where nothing tells it. */
  readonly startMs: number | undefined;
  /** It found everything done. */
  readonly idle: boolean;
  /** It came to its end without a failure. */
  readonly succeeded: boolean;
  readonly sameAs: string | undefined;
  readonly fingerprints: readonly string[];
  /** Of the outputs that its record names. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

export interface SurveyedCheckpoint {
  readonly path: string;
  /** What it belongs to, as the traces that it led to say; undefined where it cannot be read. */
  readonly base: string | undefined;
  readonly digest: string | undefined;
  /** Whoever made it wants it to stay. */
  readonly kept: boolean;
  readonly savedMs: number;
  readonly sizeBytes: number;
}

/** Of one fingerprint. */
export interface SurveyedTraces {
  readonly digests: readonly string[];
  readonly checkpointBases: readonly string[];
  /** The code that made them, as objects. */
  readonly code: readonly string[];
  readonly sizeBytes: number;
  /** Those of which a newer one, of the same class of machines, has the very result: forced runs add them up. */
  readonly repeated: readonly { readonly path: string; readonly sizeBytes: number }[];
}

export interface StoreSurvey {
  /** Newest first. */
  readonly runs: readonly SurveyedRun[];
  readonly pins: ReadonlySet<string>;
  readonly lastFingerprints: ReadonlySet<string>;
  readonly lastRuns: ReadonlySet<string>;
  readonly traces: ReadonlyMap<string, SurveyedTraces>;
  readonly checkpoints: readonly SurveyedCheckpoint[];
  /** Checkpoints that are not among the objects: what a stage was in the middle of. */
  readonly partials: readonly Pick<SurveyedCheckpoint, "path" | "savedMs" | "sizeBytes">[];
  /** Size by digest. */
  readonly objects: ReadonlyMap<string, number>;
  /** Adds an artifact's listing, its files and what it references, recursively. */
  reach(digest: string, reached: Set<string>): void;
}

export interface SurveyedStore {
  readonly files: FileSystem;
  readonly layout: StoreLayout;
  readonly runs: RunStore;
}

export function surveyStore({ files, layout, runs }: SurveyedStore): StoreSurvey {
  const shards = (folder: string): string[] => {
    const root = join(layout.root, folder);
    return files.list(root).flatMap((shard) => files.list(join(root, shard)).map((name) => join(root, shard, name)));
  };
  const json = (path: string): Record<string, unknown> | undefined => {
    try {
      const value: unknown = JSON.parse(files.readText(path) ?? "null");
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
    } catch {
      return undefined;
    }
  };
  const readText = (path: string): string | undefined => {
    try {
      return files.readText(path);
    } catch {
      return undefined;
    }
  };
  const savedMs = (path: string) => Number((files.stat(path)?.mtimeNs ?? 0n) / 1_000_000n);
  const readTrace = (path: string): Trace | undefined => {
    try {
      return parseTrace(files.readText(path), basename(path));
    } catch {
      return undefined;
    }
  };
  const lasts = files.list(join(layout.root, "last")).map((name) => json(join(layout.root, "last", name)) ?? {});
  const listings = new Map<string, readonly string[]>();
  const childrenOf = (digest: string): readonly string[] => {
    const children = listings.get(digest) ?? readChildren(files, layout, digest);
    listings.set(digest, children);
    return children;
  };
  const reach = (digest: string, reached: Set<string>): void => {
    if (reached.has(`artifact ${digest}`)) return;
    reached.add(`artifact ${digest}`).add(digest);
    for (const child of childrenOf(digest)) {
      if (child.startsWith("artifact ")) reach(child.slice("artifact ".length), reached);
      else reached.add(child);
    }
  };
  return {
    runs: [...runs.entries()].map(({ id }) => surveyRun({ files, layout, runs }, id)),
    pins: new Set(files.list(join(layout.root, "pins"))),
    lastFingerprints: new Set(lasts.flatMap(({ stages }) => Object.values((stages ?? {}) as Record<string, string>))),
    lastRuns: new Set(lasts.flatMap(({ runId }) => (typeof runId === "string" ? [runId] : []))),
    traces: new Map(
      shards("traces").map((folder) => {
        const found = files.list(folder).flatMap((name) => {
          const trace = readTrace(join(folder, name));
          return trace === undefined ? [] : [{ path: join(folder, name), trace }];
        });
        const traces = found.map(({ trace }) => trace);
        return [
          basename(folder),
          {
            repeated: findRepeated(found).map((path) => ({ path, sizeBytes: measure(files, path) })),
            digests: traces.flatMap(({ outputs }) => outputDigests(outputs)),
            checkpointBases: traces.flatMap(({ checkpointBase }) => checkpointBase ?? []),
            code: traces.flatMap(({ code }) => Object.values(code.ran?.files ?? {}).map(({ digest }) => digest)),
            sizeBytes: measure(files, folder),
          },
        ];
      }),
    ),
    checkpoints: shards("checkpoints").map((path) => {
      const entry = parseCheckpointEntry(readText(path));
      return {
        path,
        base: entry?.base,
        digest: entry?.digest,
        kept: entry?.kept ?? false,
        savedMs: savedMs(path),
        sizeBytes: files.stat(path)?.sizeBytes ?? 0,
      };
    }),
    partials: files.list(join(layout.root, PARTIAL_FOLDER)).map((name) => {
      const path = join(layout.root, PARTIAL_FOLDER, name);
      return { path, savedMs: savedMs(path), sizeBytes: measure(files, path) };
    }),
    objects: new Map(shards("objects").map((path) => [basename(path), files.stat(path)?.sizeBytes ?? 0])),
    reach,
  };
}

function findRepeated(found: readonly { readonly path: string; readonly trace: Trace }[]): readonly string[] {
  const resultOf = ({ platformClass, outputs }: Trace) =>
    canonicalJson([
      platformClass,
      Object.fromEntries(Object.entries(outputs).map(([name, { digest }]) => [name, digest])),
    ]);
  const newest = new Map<string, string>();
  for (const { path, trace } of found.toSorted((a, b) => (a.trace.madeAt < b.trace.madeAt ? -1 : 1)))
    newest.set(resultOf(trace), path);
  const kept = new Set(newest.values());
  return found.map(({ path }) => path).filter((path) => !kept.has(path));
}

/** Bytes of a file, or of all files in a folder. Links are not followed. */
export function measure(files: FileSystem, path: string): number {
  const stat = files.stat(path);
  if (stat === undefined) return 0;
  if (stat.kind !== "folder") return stat.sizeBytes;
  return files.list(path).reduce((sum, name) => sum + measure(files, join(path, name)), 0);
}

/** Digests of files; those of artifacts it references begin with `artifact `. */
function readChildren(files: FileSystem, layout: StoreLayout, digest: string): readonly string[] {
  try {
    const listing: Listing = parseListing(files.readText(layout.object(digest)) ?? "");
    const references = listing.files.find(({ path }) => path === REFERENCES_FILE);
    const text = references === undefined ? undefined : files.readText(layout.object(references.digest));
    const named = Object.values(JSON.parse(text ?? "{}") as Record<string, { readonly digest: string }>);
    return [...listing.files.map((file) => file.digest), ...named.map((target) => `artifact ${target.digest}`)];
  } catch {
    return [];
  }
}

function surveyRun({ files, layout, runs }: SurveyedStore, id: string): SurveyedRun {
  const record = runs.read(id);
  const start = record ?? runs.readStart(id);
  const stages = record?.stages ?? finishedStages(files.readText(join(layout.run(id), "events.ndjson")) ?? "");
  return {
    id,
    group: start === undefined ? undefined : [start.pipeline, ...start.profiles].join("@"),
    startMs: record === undefined ? timeOfId(id) : Date.parse(record.startedAt),
    idle: record !== undefined && didNothing(record),
    succeeded: record?.exitCode === 0,
    sameAs: record?.sameAs,
    fingerprints: stages.flatMap(({ fingerprint }) => (fingerprint === undefined ? [] : [fingerprint])),
    digests: stages.flatMap(({ outputs }) => outputDigests(outputs)),
    sizeBytes: measure(files, layout.run(id)),
  };
}

function outputDigests(outputs: StageRecord["outputs"] | undefined): readonly string[] {
  return Object.values(outputs ?? {}).map(({ digest }) => digest);
}

function finishedStages(events: string): readonly StageRecord[] {
  return events.split("\n").flatMap((line) => {
    if (!line.startsWith('{"type":"stage-finished"')) return [];
    try {
      return [(JSON.parse(line) as StageFinished).record];
    } catch {
      return []; // The last line of a run that was killed may be cut short.
    }
  });
}

/** Ids begin with their second: `20260102T101112-ab12cd`. */
function timeOfId(id: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-/.exec(id);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
