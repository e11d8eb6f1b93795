/**
 * Examines a whole store: every object against its name, and all that refers to objects. What is damaged goes to
 * quarantine, and traces and checkpoints that lost an object go, so that their stages run again instead of being believed.
 * What the file system refuses to repair is left, and said.
 */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import type { Locks } from "./locks.ts";
import { type SurveyedStore, surveyStore } from "./survey-store.ts";

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

export async function examineStore(store: SurveyedStore & { readonly locks: Locks }): Promise<StoreExamination> {
  const { files, layout, locks, runs } = store;
  const findings: StoreFinding[] = [];
  const report = (path: string, problem: string, done: string, repair: () => void): void => {
    const finding = { path: path.slice(layout.root.length + 1), problem };
    try {
      repair();
      findings.push({ ...finding, outcome: done, repaired: true });
    } catch (error) {
      findings.push({ ...finding, outcome: `cannot be repaired: ${(error as Error).message}`, repaired: false });
    }
  };
  const quarantine = (path: string, problem: string) =>
    report(path, problem, "moved to quarantine", () => files.rename(path, layout.quarantine(basename(path))));
  const remove = (path: string, problem: string, done: string) => report(path, problem, done, () => files.remove(path));
  const isJson = (text: string | undefined): boolean => {
    try {
      return typeof JSON.parse(text ?? "") === "object";
    } catch {
      return false;
    }
  };

  const objects = [...surveyStore(store).objects.keys()];
  for (const digest of objects) {
    const path = layout.object(digest);
    const hash = createHash("sha256");
    try {
      await files.stream(path, (piece) => hash.update(piece));
    } catch (error) {
      quarantine(path, `cannot be read: ${(error as Error).message}`);
      continue;
    }
    if (hash.digest("hex") !== digest) quarantine(path, "is not what its name says");
  }
  // Again: what went to quarantine is not there any more.
  const survey = surveyStore(store);
  const lost = (digests: readonly string[]): string | undefined => {
    const reached = new Set<string>();
    for (const digest of digests) survey.reach(digest, reached);
    return [...reached].find((one) => !one.startsWith("artifact ") && files.stat(layout.object(one)) === undefined);
  };
  let traces = 0;
  for (const [fingerprint, { digests }] of survey.traces) {
    const folder = layout.traces(fingerprint);
    for (const name of files.list(folder)) {
      traces++;
      const path = join(folder, name);
      if (!digestBytes(files.readText(path) ?? "").startsWith(name.replace(/\.json$/, "")))
        quarantine(path, "is not what its name says");
    }
    const missing = lost(digests);
    if (missing !== undefined && files.list(folder).length > 0)
      remove(folder, `names object ${missing.slice(0, 12)}, which is lost`, "removed: its stage runs again");
  }
  for (const { path, digest } of survey.checkpoints) {
    const missing = digest === undefined ? "" : lost([digest]);
    if (missing !== undefined)
      remove(path, "a checkpoint that is not whole", "removed: training goes on from an earlier one");
  }
  for (const name of files.list(join(layout.root, "last"))) {
    const path = join(layout.root, "last", name);
    if (!isJson(files.readText(path))) quarantine(path, "cannot be read as JSON");
  }
  for (const { id } of survey.runs) {
    const path = join(layout.run(id), "run.json");
    if (files.stat(path) !== undefined && runs.read(id) === undefined)
      quarantine(path, "is no record of a run that can be read");
  }
  for (const name of files.list(join(layout.root, "locks"))) {
    const attempt = locks.tryAcquire(name.replace(/\.json$/, ""));
    if ("holder" in attempt) continue;
    report(join(layout.root, "locks", name), "a lock whose holder is gone", "removed", attempt.release);
  }
  return {
    findings,
    objects: objects.length,
    traces,
    checkpoints: survey.checkpoints.length,
    runs: survey.runs.length,
    quarantined: files.list(join(layout.root, "quarantine")).length,
  };
}
