/**
 * The records of runs, as they are kept in the store: newest first, found by a prefix of their id, by the name that the
 * user gave them, or as `last` and `last~1`.
 *
 * A record that cannot be read is passed over, and a run without one did not come to its end: what is known of it is what
 * its first event says.
 */
import { join } from "node:path";
import type { RunEvent, RunStarted, StageFinished } from "../events.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { RunRecord, StageRecord } from "../record.ts";
import type { StoreLayout } from "./store-layout.ts";

export interface RunStore {
  /** Every run there is a folder of, newest first. */
  ids(): readonly string[];
  /** Undefined where there is none, or none that can be read. */
  read(id: string): RunRecord | undefined;
  /** How a run began that has no record: it was killed, or still goes on. */
  readStart(id: string): RunStarted | undefined;
  /** What became of a stage in a run, also in one that was killed later. */
  readStage(id: string, stage: string): StageRecord | undefined;
  /** Every run, newest first, each read when it is asked for. */
  entries(): Generator<RunEntry>;
  /** Those that have a record. */
  records(): Generator<RunRecord>;
}

export interface RunEntry {
  readonly id: string;
  /** Absent of a run that did not come to its end, and where it cannot be read. */
  readonly record?: RunRecord;
}

/** Ids begin with their second: `20260102T101112-ab12cd`. */
const SECOND_LENGTH = "20260102T101112".length;

export function createRunStore({
  files,
  layout,
}: {
  readonly files: FileSystem;
  readonly layout: StoreLayout;
}): RunStore {
  const ids = () => [...files.list(join(layout.root, "runs"))].sort().reverse();
  const read = (id: string): RunRecord | undefined => {
    try {
      const record = JSON.parse(files.readText(join(layout.run(id), "run.json")) ?? "null") as RunRecord | null;
      return record?.format === "tfpipe/run/1" ? record : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    ids,
    read,
    readStart(id) {
      const text = files.readText(join(layout.run(id), "events.ndjson")) ?? "";
      try {
        const event = JSON.parse(text.slice(0, text.indexOf("\n"))) as RunEvent;
        return event.type === "run-started" ? event : undefined;
      } catch {
        return undefined;
      }
    },
    readStage(id, stage) {
      const record = read(id);
      if (record !== undefined) return record.stages.find((one) => one.stage === stage);
      for (const line of (files.readText(join(layout.run(id), "events.ndjson")) ?? "").split("\n")) {
        if (!line.startsWith('{"type":"stage-finished"')) continue;
        try {
          const event = JSON.parse(line) as StageFinished;
          if (event.stage === stage) return event.record;
        } catch {
          // The last line of a run that was killed may be cut short.
        }
      }
      return undefined;
    },
    *entries() {
      const waiting = ids();
      for (let at = 0; at < waiting.length; ) {
        // Within one second the id does not tell which was first.
        const second = waiting[at]!.slice(0, SECOND_LENGTH);
        const together: RunEntry[] = [];
        for (; waiting[at]?.slice(0, SECOND_LENGTH) === second; at++) {
          const record = read(waiting[at]!);
          together.push({ id: waiting[at]!, ...(record === undefined ? {} : { record }) });
        }
        yield* together.sort((a, b) => compareText(b.record?.startedAt ?? "~", a.record?.startedAt ?? "~"));
      }
    },
    *records() {
      for (const { record } of this.entries()) if (record !== undefined) yield record;
    },
  };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a run found everything done. Such runs are in the list, and `last` passes over them. */
export function didNothing({ exitCode, stages, sameAs }: RunRecord): boolean {
  return sameAs !== undefined || (exitCode === 0 && stages.every(({ outcome }) => outcome === "fresh"));
}

/** A run that had nothing to do, with the stages of the run that it found; undefined where that record is gone. */
export function wholeRecord(runs: Pick<RunStore, "read">, record: RunRecord): RunRecord | undefined {
  if (record.sameAs === undefined) return record;
  const made = runs.read(record.sameAs);
  if (made === undefined) return undefined;
  const stages = made.stages.map((stage) => ({ ...stage, outcome: "fresh" as const, reason: "up to date" }));
  return { ...record, params: made.params, stages };
}

/** Which runs a word is looked for among. */
export interface RunScope {
  readonly pipeline?: string;
  /** Only with a pipeline. */
  readonly profiles?: readonly string[];
}

export type FoundRun = { readonly record: RunRecord } | { readonly problem: string; readonly help: string };

const LAST = /^last(?:~(\d{1,6}))?$/;

/**
 * `last`, `last~2`, a name, or the beginning of an id (of its first or its second part). A name that was given twice is
 * the newest run's.
 */
export function findRun(runs: RunStore, word: string, scope: RunScope = {}): FoundRun {
  const back = LAST.exec(word);
  const fitting: RunRecord[] = [];
  let left = Number(back?.[1] ?? 0);
  for (const record of runs.records()) {
    if (!inScope(record, scope)) continue;
    if (back !== null) {
      if (didNothing(record)) continue;
      if (left-- === 0) return { record };
    } else if (record.name === word || record.id === word) return { record };
    else if (record.id.startsWith(word) || record.id.slice(SECOND_LENGTH + 1).startsWith(word)) fitting.push(record);
  }
  if (fitting.length === 1) return { record: fitting[0]! };
  const help = "`pipe runs` lists them";
  if (fitting.length > 1)
    return {
      problem: `"${word}" may be ${fitting.length} runs: ${fitting
        .slice(0, 4)
        .map(({ id }) => id)
        .join(", ")}${fitting.length > 4 ? ", ..." : ""}`,
      help: "give more of the id",
    };
  const where = scope.pipeline === undefined ? "" : ` of ${[scope.pipeline, ...(scope.profiles ?? [])].join("@")}`;
  if (back !== null) return { problem: `there is no run "${word}"${where} in which something was done`, help };
  const unfinished = runs.ids().find((id) => id.startsWith(word) && runs.read(id) === undefined);
  return unfinished === undefined
    ? { problem: `there is no run "${word}"${where}`, help }
    : { problem: `the run ${unfinished} has no record: it was killed, or has not ended yet`, help };
}

export function inScope(
  run: { readonly pipeline: string; readonly profiles: readonly string[] },
  scope: RunScope,
): boolean {
  if (scope.pipeline !== undefined && run.pipeline !== scope.pipeline) return false;
  return scope.profiles === undefined || scope.profiles.join("@") === run.profiles.join("@");
}

const NAME = /^[A-Za-z][\w.+-]{0,59}$/;

/** What is wrong with a name for a run, or undefined. It must not look like an id or like `last`. */
export function problemOfRunName(name: string): string | undefined {
  if (LAST.test(name) || name.startsWith("last~")) return `"${name}" already means a run: the newest ones`;
  if (!NAME.test(name))
    return `"${name}" cannot be the name of a run: a letter, then letters, digits, "_", ".", "+" or "-"`;
  return undefined;
}
