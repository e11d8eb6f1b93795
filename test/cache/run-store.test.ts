/** Records of runs: their order, what a word may mean, and runs that never came to their end. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunStore, didNothing, findRun, problemOfRunName, wholeRecord } from "../../src/cache/run-store.ts";
import type { RunRecord } from "../../src/record.ts";
import { runRecord, runStarted, stageRecord } from "../report/recorded-run.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  store = openTemporaryStore();
});
afterEach(() => store.remove());

function keep(id: string, more: Partial<RunRecord> = {}): RunRecord {
  const record = runRecord([stageRecord("train", "ran")], { id, pipeline: "tiny", profiles: [], ...more });
  write(id, "run.json", JSON.stringify(record));
  return record;
}

function write(id: string, file: string, text: string): void {
  mkdirSync(store.layout.run(id), { recursive: true });
  writeFileSync(join(store.layout.run(id), file), text);
}

const runs = () => createRunStore(store);
const found = (word: string, scope = {}) => {
  const result = findRun(runs(), word, scope);
  return "record" in result ? result.record.id : result.problem;
};

describe("the runs that are kept", () => {
  test("are read newest first; within a second, by when they began", () => {
    keep("20260102T101112-ff0000", { startedAt: "2026-01-02T10:11:12.100Z" });
    keep("20260102T101112-aa0000", { startedAt: "2026-01-02T10:11:12.900Z" });
    keep("20260103T000000-000000", { startedAt: "2026-01-03T00:00:00.000Z" });
    expect([...runs().records()].map(({ id }) => id)).toEqual([
      "20260103T000000-000000",
      "20260102T101112-aa0000",
      "20260102T101112-ff0000",
    ]);
  });

  test("are passed over where they cannot be read, and listed without a record", () => {
    keep("20260102T101112-aaaaaa");
    write("20260103T101112-bbbbbb", "run.json", '{"format":"tfpipe/run/1", "id":');
    write("20260104T101112-cccccc", "run.json", '{"format":"tfpipe/run/9"}');
    write("20260105T101112-dddddd", "events.ndjson", `${JSON.stringify(runStarted([]))}\n{"type":`);
    expect([...runs().records()].map(({ id }) => id)).toEqual(["20260102T101112-aaaaaa"]);
    expect([...runs().entries()].map(({ id, record }) => [id.slice(-6), record !== undefined])).toEqual([
      ["dddddd", false],
      ["cccccc", false],
      ["bbbbbb", false],
      ["aaaaaa", true],
    ]);
    expect(runs().readStart("20260105T101112-dddddd")).toMatchObject({ pipeline: "resnet34", profiles: ["quick"] });
    expect(runs().readStart("20260104T101112-cccccc")).toBeUndefined();
  });
});

describe("a word may be", () => {
  beforeEach(() => {
    keep("20260101T000000-aaa111", { name: "baseline" });
    keep("20260102T000000-aaa222", { profiles: ["quick"] });
    keep("20260103T000000-bbb333", { pipeline: "other", name: "baseline" });
    keep("20260104T000000-ccc444", { sameAs: "20260101T000000-aaa111", stages: [] });
  });

  test("an id, or its beginning, or the beginning of its second part", () => {
    expect(found("20260101T000000-aaa111")).toBe("20260101T000000-aaa111");
    expect(found("20260103")).toBe("20260103T000000-bbb333");
    expect(found("bbb")).toBe("20260103T000000-bbb333");
  });

  test("a name; given twice, it is the newest run's", () => {
    expect(found("baseline")).toBe("20260103T000000-bbb333");
    expect(found("baseline", { pipeline: "tiny" })).toBe("20260101T000000-aaa111");
  });

  test("last, which passes over runs that had nothing to do", () => {
    expect(found("last")).toBe("20260103T000000-bbb333");
    expect(found("last~1")).toBe("20260102T000000-aaa222");
    expect(found("last~2")).toBe("20260101T000000-aaa111");
    expect(found("last", { pipeline: "tiny", profiles: [] })).toBe("20260101T000000-aaa111");
  });

  test("nothing: and it is said why", () => {
    expect(found("aaa")).toBe('"aaa" may be 2 runs: 20260102T000000-aaa222, 20260101T000000-aaa111');
    expect(found("nobody")).toBe('there is no run "nobody"');
    expect(found("last~7", { pipeline: "tiny", profiles: ["quick"] })).toBe(
      'there is no run "last~7" of tiny@quick in which something was done',
    );
    write("20260105T101112-dddddd", "events.ndjson", "");
    expect(found("20260105")).toBe("the run 20260105T101112-dddddd has no record: it was killed, or has not ended yet");
  });
});

test("a name must not read like an id or like last", () => {
  for (const name of ["baseline", "lower-rate", "v1.2", "a+b_c"]) expect(problemOfRunName(name)).toBeUndefined();
  for (const name of ["", "1st", "20260101", "last", "last~1", "last~x", "two words", "a/b", "x".repeat(61)])
    expect(problemOfRunName(name), name).toBeDefined();
});

describe("a run that had nothing to do", () => {
  const nothing = runRecord([], { id: "r2", sameAs: "r1" });
  test("is told from one that did something", () => {
    expect(didNothing(nothing)).toBe(true);
    expect(didNothing(runRecord([stageRecord("a", "fresh")]))).toBe(true);
    expect(didNothing(runRecord([stageRecord("a", "fresh"), stageRecord("b", "restored")]))).toBe(false);
    expect(didNothing(runRecord([stageRecord("a", "failed")], { exitCode: 1 }))).toBe(false);
  });

  test("has the stages of the run that it found, all fresh; without that record it has none", () => {
    keep("r1", { stages: [stageRecord("train", "ran", { metrics: { loss: 1 } })] });
    expect(wholeRecord(runs(), nothing)?.stages).toEqual([
      expect.objectContaining({ stage: "train", outcome: "fresh", metrics: { loss: 1 } }),
    ]);
    expect(wholeRecord(runs(), { ...nothing, sameAs: "r0" })).toBeUndefined();
  });
});
