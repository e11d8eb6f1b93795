/**
 * The ledger of what is no function of its key: one fingerprint that gave two results on one class of machines. An entry
 * is a fact that stays true whatever happens to traces and objects; it goes with the last trace of its fingerprint.
 *
 *   ledger/<fingerprint>-<first digits of the class's sha256>.json
 *
 * One entry is enough to know it, so the first stays and no other is added.
 */
import { join } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import { replaceFile, type StoreLayout } from "./store-layout.ts";
import type { Trace } from "./trace-store.ts";

export interface LedgerEntry {
  readonly format: "tfpipe/ledger/1";
  readonly fingerprint: string;
  readonly stageType: string;
  readonly platformClass: string;
  /** Output digests of both, by output. */
  readonly results: readonly [LedgerResult, LedgerResult];
  /** Who made the second one. */
  readonly foundBy: "run" | "verify";
}

export interface LedgerResult {
  readonly outputs: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly runId: string;
  /** ISO 8601, UTC. */
  readonly madeAt: string;
}

export interface Ledger {
  /** Nearly always: then there is nothing to look up. */
  isEmpty(): boolean;
  /** Of any class of machines. */
  find(fingerprint: string): readonly LedgerEntry[];
  /** Two traces of one fingerprint and class that have not the same outputs. Does nothing where that is known. */
  add(before: Trace, after: Trace, foundBy: LedgerEntry["foundBy"]): void;
}

const FINGERPRINT_LENGTH = 64;

/** The folder is listed once, when it is first asked: nearly always it is empty, and then there is nothing to read. */
export function createLedger(files: FileSystem, layout: StoreLayout): Ledger {
  const folder = join(layout.root, "ledger");
  let known: Map<string, string[]> | undefined;
  const names = (): Map<string, string[]> => {
    if (known !== undefined) return known;
    known = new Map();
    for (const name of listQuietly(files, folder)) {
      const fingerprint = name.slice(0, FINGERPRINT_LENGTH);
      known.set(fingerprint, [...(known.get(fingerprint) ?? []), name]);
    }
    return known;
  };
  return {
    isEmpty: () => names().size === 0,
    find: (fingerprint) =>
      (names().get(fingerprint) ?? []).flatMap((name) => parseEntry(files.readText(join(folder, name)), fingerprint)),
    add(before, after, foundBy) {
      const { fingerprint, platformClass } = after;
      const name = `${fingerprint}-${digestBytes(platformClass).slice(0, 8)}.json`;
      if (names().get(fingerprint)?.includes(name)) return;
      const entry: LedgerEntry = {
        format: "tfpipe/ledger/1",
        fingerprint,
        stageType: after.manifest.stageType,
        platformClass,
        results: [resultOf(before), resultOf(after)],
        foundBy,
      };
      files.makeFolder(folder);
      replaceFile(files, layout, join(folder, name), `${canonicalJson(entry as unknown as JsonObject)}\n`);
      names().set(fingerprint, [...(names().get(fingerprint) ?? []), name]);
    },
  };
}

/** Nothing where it cannot be read: what a stage is marked with is no reason not to run it. */
function listQuietly(files: FileSystem, folder: string): readonly string[] {
  try {
    return files.list(folder);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return [];
  }
}

/** Paths of entries whose fingerprint has no trace any more. */
export function findForgotten(
  files: FileSystem,
  layout: StoreLayout,
  isTraced: (fingerprint: string) => boolean,
): readonly string[] {
  const folder = join(layout.root, "ledger");
  const forgotten = files.list(folder).filter((name) => !isTraced(name.slice(0, FINGERPRINT_LENGTH)));
  return forgotten.map((name) => join(folder, name));
}

function resultOf({ outputs, metrics, runId, madeAt }: Trace): LedgerResult {
  return {
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, { digest }]) => [name, digest])),
    metrics,
    runId,
    madeAt,
  };
}

/** Nothing of what cannot be read. */
function parseEntry(text: string | undefined, fingerprint: string): readonly LedgerEntry[] {
  try {
    const entry = JSON.parse(text ?? "null") as LedgerEntry | null;
    return entry?.format === "tfpipe/ledger/1" && entry.fingerprint === fingerprint ? [entry] : [];
  } catch {
    return [];
  }
}
