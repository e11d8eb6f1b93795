/** What a store really holds, read off its disk: traces whose name is that of their content, and objects likewise. */
import { basename, join } from "node:path";
import { createRunStore } from "../../src/cache/run-store.ts";
import { surveyStore } from "../../src/cache/survey-store.ts";
import type { Trace } from "../../src/cache/trace-store.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { ARTIFACTS, type SimulatedProject } from "./simulated-project.ts";

export const STORE = `${ARTIFACTS}/.store`;

export interface StoreAudit {
  /** Digests of outputs by fingerprint. */
  readonly traces: ReadonlyMap<string, readonly string[]>;
  /** The objects behind outputs, with all that they reference. */
  reach(digests: readonly string[]): readonly string[];
  /** For as long as nothing changes on the disk. */
  isSound(object: string): boolean;
}

export function auditStore(project: SimulatedProject): StoreAudit {
  const { disk } = project;
  const { files, layout } = project.openStore();
  const survey = surveyStore({ files, layout, runs: createRunStore({ files, layout }) });
  const traces = new Map<string, string[]>();
  for (const [path, { bytes }] of disk.filesIn(join(STORE, "traces"))) {
    if (!digestBytes(bytes).startsWith(basename(path, ".json"))) continue;
    const { fingerprint, outputs } = JSON.parse(new TextDecoder().decode(bytes)) as Trace;
    const digests = Object.values(outputs).map(({ digest }) => digest);
    traces.set(fingerprint, [...(traces.get(fingerprint) ?? []), ...digests]);
  }
  const soundness = new Map<string, boolean>();
  return {
    traces,
    reach(digests) {
      const reached = new Set<string>();
      for (const digest of digests) survey.reach(digest, reached);
      return [...reached].filter((one) => !one.startsWith("artifact "));
    },
    isSound(object) {
      const path = join(STORE, "objects", object.slice(0, 2), object);
      const sound = soundness.get(object) ?? (disk.stat(path) !== undefined && digestBytes(disk.read(path)) === object);
      soundness.set(object, sound);
      return sound;
    },
  };
}
