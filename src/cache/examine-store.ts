/**
 * Examines a whole store: every object against its name, and all that refers to objects. What is damaged goes to
 * quarantine, and traces and checkpoints that lost an object go, so that their stages run again instead of being believed.
 * What only saves work is removed where it cannot be read. What the file system refuses to repair is left, and said.
 */
import { basename, join } from "node:path";
import { digestFile } from "../identity/digest.ts";
import { FILE_LANES, inLanes } from "../identity/in-lanes.ts";
import { readSealed } from "../identity/sealed-text.ts";
import { isRefusal } from "../platform/file-system.ts";
import type { LockAttempt } from "./locks.ts";
import { type LeasedStore, listLocks } from "./run-lease.ts";
import { type StoreSurvey, type SurveyedStore, surveyStore } from "./survey-store.ts";
import { parseTrace } from "./trace-store.ts";

export interface StoreFinding {
  /** Relative to the store. */
  readonly path: string;
  readonly problem: string;
  /** What was done, or why it could not be. */
  readonly outcome: string;
  readonly repaired: boolean;
}

export interface StoreExamination {
  readonly findings: readonly StoreFinding[];
  readonly objects: number;
  readonly traces: number;
  readonly checkpoints: number;
  readonly runs: number;
  /** Things in quarantine: nothing is taken from there. */
  readonly quarantined: number;
}

export type ExaminedStore = SurveyedStore & LeasedStore;

/** `nowMs`: the time of day. */
export async function examineStore(store: ExaminedStore, nowMs: number): Promise<StoreExamination> {
  const findings: StoreFinding[] = [];
  const repairs = createRepairs(store, findings);
  const objects = await examineObjects(store, repairs);
  // Only now: what went to quarantine is lost to whatever names it.
  const survey = surveyStore(store);
  const traces = examineTraces(store, survey, repairs);
  examineCheckpoints(store, survey, repairs);
  examineRecords(store, survey, repairs);
  examineMemos(store, repairs);
  examineLeftovers(store, repairs, nowMs);
  return {
    findings,
    objects,
    traces,
    checkpoints: survey.checkpoints.length,
    runs: survey.runs.length,
    quarantined: store.files.list(join(store.layout.root, "quarantine")).length,
  };
}

interface Repairs {
  quarantine(path: string, problem: string): void;
  remove(path: string, problem: string, consequence: string): void;
}

function createRepairs({ files, layout }: ExaminedStore, findings: StoreFinding[]): Repairs {
  const report = (path: string, problem: string, done: string, repair: () => void): void => {
    const finding = { path: path.slice(layout.root.length + 1), problem };
    try {
      repair();
      findings.push({ ...finding, outcome: done, repaired: true });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      findings.push({ ...finding, outcome: `cannot be repaired: ${(error as Error).message}`, repaired: false });
    }
  };
  return {
    quarantine: (path, problem) =>
      report(path, problem, "moved to quarantine", () => files.rename(path, layout.quarantine(basename(path)))),
    remove: (path, problem, consequence) => report(path, problem, `removed: ${consequence}`, () => files.remove(path)),
  };
}

async function examineObjects({ files, layout }: ExaminedStore, { quarantine }: Repairs): Promise<number> {
  const root = join(layout.root, "objects");
  const paths = files
    .list(root)
    .flatMap((shard) => files.list(join(root, shard)).map((name) => join(root, shard, name)));
  await inLanes(paths, FILE_LANES, async (path) => {
    if (files.stat(path)?.kind !== "file") return quarantine(path, "is no file");
    try {
      if ((await digestFile(files, path)) === basename(path)) return;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return quarantine(path, `cannot be read: ${(error as Error).message}`);
    }
    quarantine(path, "is not what its name says");
  });
  return paths.length;
}

/** The first of the objects that an artifact needs and the store no longer has. */
function findLost(
  { files, layout }: ExaminedStore,
  survey: StoreSurvey,
  digests: readonly string[],
): string | undefined {
  const reached = new Set<string>();
  for (const digest of digests) survey.reach(digest, reached);
  return [...reached].find((one) => !one.startsWith("artifact ") && files.stat(layout.object(one)) === undefined);
}

function examineTraces(store: ExaminedStore, survey: StoreSurvey, repairs: Repairs): number {
  const { files, layout } = store;
  let count = 0;
  for (const fingerprint of survey.traces.keys())
    for (const name of files.list(layout.traces(fingerprint))) {
      count += 1;
      const path = join(layout.traces(fingerprint), name);
      const trace = parseTrace(readText(store, path), name);
      if (trace?.fingerprint !== fingerprint) {
        repairs.quarantine(path, "is not what its name says");
        continue;
      }
      const outputs = Object.values(trace.outputs).map(({ digest }) => digest);
      const lost = findLost(store, survey, outputs);
      if (lost !== undefined)
        repairs.remove(path, `names object ${lost.slice(0, 12)}, which is lost`, "its stage runs again");
    }
  return count;
}

function examineCheckpoints(store: ExaminedStore, survey: StoreSurvey, { remove }: Repairs): void {
  for (const { path, digest } of survey.checkpoints)
    if (digest === undefined || findLost(store, survey, [digest]) !== undefined)
      remove(path, "a checkpoint that is not whole", "training goes on from an earlier one");
}

function examineRecords(store: ExaminedStore, survey: StoreSurvey, repairs: Repairs): void {
  const { files, layout, runs } = store;
  for (const { id } of survey.runs) {
    const path = join(layout.run(id), "run.json");
    if (files.stat(path) !== undefined && runs.read(id) === undefined)
      repairs.quarantine(path, "is no record of a run that can be read");
  }
  for (const path of pathsIn(store, "last"))
    if (!isObject(readText(store, path))) repairs.quarantine(path, "cannot be read as JSON");
  for (const path of pathsIn(store, "pins"))
    if (files.stat(layout.run(basename(path))) === undefined)
      repairs.remove(path, "pins a run that is gone", "there is nothing to keep");
}

function examineMemos(store: ExaminedStore, { remove }: Repairs): void {
  for (const path of pathsIn(store, "memo"))
    if (readSealed(store.files, path) === undefined)
      remove(path, "is not as it was written", "it only saves work, and is made again");
}

/** What dead processes of this host left went when the store was opened; the rest may be another host's. */
function examineLeftovers(store: ExaminedStore, repairs: Repairs, nowMs: number): void {
  const { files } = store;
  for (const { path, attempt } of listLocks(store)) {
    if (isDead(attempt)) repairs.remove(path, "a lock whose holder is gone", "it would have fallen by itself");
  }
  for (const path of pathsIn(store, "tmp"))
    if (nowMs - Number((files.stat(path)?.mtimeNs ?? 0n) / 1_000_000n) > DAY_MS)
      repairs.remove(path, "was left half done more than a day ago", "nothing refers to it");
}

const DAY_MS = 86_400_000;

function isDead(attempt: () => LockAttempt): boolean {
  try {
    const taken = attempt();
    if ("release" in taken) taken.release();
    return "release" in taken;
  } catch (error) {
    // In a store that cannot be written a lock holds nobody up.
    if (!isRefusal(error)) throw error;
    return false;
  }
}

function pathsIn({ files, layout }: ExaminedStore, folder: string): readonly string[] {
  return files.list(join(layout.root, folder)).map((name) => join(layout.root, folder, name));
}

/** Undefined where it cannot be read. */
function readText({ files }: ExaminedStore, path: string): string | undefined {
  try {
    return files.readText(path);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

function isObject(text: string | undefined): boolean {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
