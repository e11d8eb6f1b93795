/** Garbage in stores that real runs of puppets made: what goes, what stays, and that what stays is whole. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findGarbage, type GarbageLimits, removeGarbage } from "../../src/cache/collect-garbage.ts";
import { findLiveRun } from "../../src/cache/run-lease.ts";
import { createRunStore } from "../../src/cache/run-store.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { PuppetRunner } from "../execute/puppet-run.ts";
import { runRecord } from "../report/recorded-run.ts";

let puppets: PuppetRunner;
let workspace: Workspace;
beforeEach(async () => {
  puppets = new PuppetRunner();
  workspace = await puppets.workspace();
});
afterEach(() => puppets.remove());

const stages = (text: string) => ({ a: { params: { text } }, b: { params: { text: "b" }, inputs: { in: "a" } } });
const now = Date.parse("2026-03-01T00:00:00Z");
const find = (limits: GarbageLimits = {}) =>
  findGarbage({ files: workspace.files, layout: workspace.layout, runs: createRunStore(workspace) }, limits, now);
const counts = (limits: GarbageLimits = {}) => {
  const found: Record<string, number> = {};
  for (const { kind } of find(limits).garbage) found[kind] = (found[kind] ?? 0) + 1;
  return found;
};

/** Runs, and keeps the record as the command does. */
async function runKept(text: string, day: string, exitCode = 0): Promise<string> {
  const { records } = await puppets.run(stages(text), { workspace });
  const id = `202601${day}T000000-aaaaaa`;
  const startedAt = `2026-01-${day}T00:00:00.000Z`;
  mkdirSync(workspace.layout.run(id), { recursive: true });
  const record = runRecord(records, { id, pipeline: "puppets", profiles: [], startedAt, exitCode });
  writeFileSync(join(workspace.layout.run(id), "run.json"), JSON.stringify(record));
  return id;
}

test("nothing goes that a kept run or a last run refers to", async () => {
  await runKept("1", "01");
  await runKept("2", "02");
  expect(counts()).toEqual({});
});

test("what only a removed record referred to goes, and what is kept is whole", async () => {
  const first = await runKept("1", "01");
  await runKept("2", "02");
  rmSync(workspace.layout.run(first), { recursive: true });
  const { garbage, freedBytes } = find();
  // Of two stages: a file and a listing each, and a trace each.
  expect(counts()).toEqual({ objects: 4, traces: 2 });
  expect(freedBytes).toBeGreaterThan(0);
  removeGarbage(workspace.files, garbage);
  expect(counts()).toEqual({});
  expect(await puppets.plan(stages("2"), workspace)).toEqual({ a: "fresh", b: "fresh" });
  expect(await puppets.plan(stages("1"), workspace)).toEqual({ a: "run", b: "pending" });
});

test("limits let old runs go: with both, only what is older and beyond the last ones; a pin holds", async () => {
  const first = await runKept("1", "01");
  await runKept("2", "20");
  await runKept("3", "30");
  const day = 86_400_000;
  expect(counts({ keepLast: 1 }).runs).toBe(2);
  expect(counts({ olderThanMs: 50 * day }).runs).toBe(1);
  expect(counts({ keepLast: 1, olderThanMs: 50 * day }).runs).toBe(1);
  expect(counts({ keepLast: 3, olderThanMs: day }).runs).toBeUndefined();
  expect(find().moreBytes).toBe(find({ keepLast: 1 }).freedBytes);
  mkdirSync(join(workspace.layout.root, "pins"));
  writeFileSync(join(workspace.layout.root, "pins", first), first);
  expect(counts({ keepLast: 1 })).toEqual({ runs: 1, objects: 4, traces: 2 });
});

test("a size is reached with the fewest runs; the last results stay even where that is too much", async () => {
  await runKept("1", "01");
  await runKept("2", "20");
  await runKept("3", "30");
  const { storeBytes } = find();
  expect(counts({ maxSizeBytes: storeBytes })).toEqual({});
  expect(counts({ maxSizeBytes: storeBytes - 1 }).runs).toBe(1);
  removeGarbage(workspace.files, find({ maxSizeBytes: 0 }).garbage);
  expect(await puppets.plan(stages("3"), workspace)).toEqual({ a: "fresh", b: "fresh" });
});

test("checkpoints go, but not those that a stopped run goes on from", async () => {
  const save = () => {
    const folder = workspace.layout.temporary();
    mkdirSync(folder);
    writeFileSync(join(folder, "weights"), "w");
    return workspace.checkpoints.save("base", 1, folder);
  };
  await runKept("1", "01");
  await save();
  expect(counts()).toEqual({ checkpoints: 1, objects: 2 });
  await runKept("2", "02", 130);
  expect(counts()).toEqual({});
  await runKept("3", "03");
  removeGarbage(workspace.files, find().garbage);
  expect(await workspace.checkpoints.find("base", 1)).toBeUndefined();
});

test("artifacts that artifacts reference are kept", async () => {
  await puppets.run({ a: { params: { text: "1" } } }, { workspace });
  const [record] = (await puppets.run({ a: { params: { text: "1" } } }, { workspace })).records;
  const base = record!.outputs.out!.digest;
  const view = { ...stages("1"), b: { params: { text: "v", reference: base }, inputs: { in: "a" } } };
  expect((await puppets.run(view, { workspace })).outcomes.b).toBe("ran");
  rmSync(workspace.layout.last("puppets"));
  const kept = await puppets.run(view, { workspace });
  const b = kept.records.find(({ stage }) => stage === "b")!;
  mkdirSync(workspace.layout.run("20260101T000000-bbbbbb"));
  rmSync(workspace.layout.last("puppets"));
  writeFileSync(
    join(workspace.layout.run("20260101T000000-bbbbbb"), "run.json"),
    JSON.stringify(runRecord([b], { id: "20260101T000000-bbbbbb" })),
  );
  expect(counts()).toEqual({ traces: 1 });
});

test("a run that goes on is seen, and one that has ended is not", async () => {
  let live: unknown;
  const look = () => findLiveRun(workspace.files, workspace.layout, workspace.locks);
  await puppets.run(stages("1"), {
    workspace,
    onEvent: ({ type }) => {
      if (type === "stage-started") live = look();
    },
  });
  expect(live).toMatchObject({ pid: process.pid });
  expect(look()).toBeUndefined();
});
