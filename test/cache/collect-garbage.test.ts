/** Garbage in stores that real runs of puppets made: what goes, what stays, and that what stays is whole. */
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findGarbage, type GarbageLimits, removeGarbage } from "../../src/cache/collect-garbage.ts";
import { findLiveRun, lockCollector } from "../../src/cache/run-lease.ts";
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

test("the code that made what is kept stays, and goes with the last trace that names it", async () => {
  const first = await runKept("1", "01");
  puppets.editCode("export const puppet", "globalThis.edited = true; export const puppet");
  workspace = await puppets.workspace();
  const kept = await runKept("2", "02");
  expect(counts()).toEqual({});
  rmSync(workspace.layout.run(first), { recursive: true });
  const last = createRunStore(workspace).read(kept)!.stages;
  const { fingerprint } = last[0]!;
  const { ran } = workspace.traces.find(fingerprint!)[0]!.code;
  // Of two stages a file and a listing each, and the code that both had.
  expect(counts()).toEqual({ objects: 5, traces: 2 });
  removeGarbage(workspace.files, find().garbage);
  expect(await workspace.codeStore.inspect(ran!)).toBeUndefined();
  expect(counts()).toEqual({});
});

test("of forced runs that gave the same result again the newest trace stays, and what is kept is whole", async () => {
  await runKept("1", "01");
  for (let again = 0; again < 3; again++) await puppets.run(stages("1"), { workspace, force: ["a"] });
  expect(counts()).toEqual({ traces: 3 });
  removeGarbage(workspace.files, find().garbage);
  expect(counts()).toEqual({});
  expect(await puppets.plan(stages("1"), workspace)).toEqual({ a: "fresh", b: "fresh" });
});

test("limits let old runs go: with both, only what is older and beyond the last ones; a pin holds", async () => {
  const first = await runKept("1", "01");
  await runKept("2", "20");
  await runKept("3", "30");
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
  const look = () => findLiveRun(workspace);
  await puppets.run(stages("1"), {
    workspace,
    onEvent: ({ type }) => {
      if (type === "stage-started") live = look();
    },
  });
  expect(live).toMatchObject({ pid: process.pid });
  expect(look()).toBeUndefined();
});

const inStore = (...parts: string[]) => join(workspace.layout.root, ...parts);
const day = 86_400_000;

/** A file in the store that was last changed so many days before now. */
function write(path: string, text: string, daysOld: number): void {
  mkdirSync(join(inStore(path), ".."), { recursive: true });
  writeFileSync(inStore(path), text);
  const seconds = (now - daysOld * day) / 1000;
  utimesSync(inStore(path), seconds, seconds);
}

test("downloads go when they are older than what is kept, or when the store is to be small", async () => {
  await runKept("1", "01");
  write("scratch/fetch/downloads/old", "12345", 40);
  write("scratch/fetch/downloads/young", "12345", 2);
  expect(counts()).toEqual({});
  expect(counts({ olderThanMs: 30 * day })).toMatchObject({ scratch: 1 });
  expect(counts({ maxSizeBytes: 0 })).toMatchObject({ scratch: 2 });
});

test("leftovers go: of a day in tmp, of a month of pipelines as they were last read, and all that is in quarantine", async () => {
  await runKept("1", "01");
  write("tmp/half", "", 2);
  write("tmp/now", "", 0);
  write("memo/pipeline-a.json", "", 31);
  write("memo/pipeline-b.json", "", 29);
  write("memo/files.json", "", 31);
  write("quarantine/damaged", "123", 0);
  const { garbage, freedBytes } = find();
  expect(garbage.map(({ path }) => path).sort()).toEqual(
    ["memo/pipeline-a.json", "quarantine/damaged", "tmp/half"].map((path) => inStore(path)),
  );
  expect(freedBytes).toBe(3);
});

test("bundles of users' own code go when no module is bundled into them any more", async () => {
  await runKept("1", "01");
  const module = join(puppets.folder, "stage.ts");
  writeFileSync(module, "");
  const indexed = (home: string) => ({
    bundle: { source: "stage.ts", file: inStore("code", home, "stage.mjs"), digest: "", modules: {}, packages: {} },
    files: {},
    folders: {},
  });
  for (const home of ["used", "unused", "lost"]) write(`code/${home}/stage.mjs`, "", 0);
  const bundles = { [module]: indexed("used"), [join(puppets.folder, "gone.ts")]: indexed("lost") };
  write("code/index.json", JSON.stringify({ format: "tfpipe/user-code/1", bundles, notes: {} }), 0);
  expect(find().garbage.map(({ path }) => path)).toEqual([inStore("code", "lost"), inStore("code", "unused")]);
});

test("an entry of the ledger goes with the last trace of its fingerprint", async () => {
  const dice = (note: string) => ({ a: { params: { text: note, random: true } } });
  await puppets.run(dice("1"), { workspace });
  await puppets.run(dice("1"), { workspace, force: ["a"] });
  const entries = () => workspace.files.list(join(workspace.layout.root, "ledger"));
  expect(entries()).toHaveLength(1);
  expect(counts()).toEqual({});
  await puppets.run(dice("2"), { workspace });
  const { garbage } = find();
  expect(garbage.filter(({ kind }) => kind === "ledger").map(({ path }) => path)).toEqual([
    join(workspace.layout.root, "ledger", entries()[0]!),
  ]);
  removeGarbage(workspace.files, garbage);
  expect(entries()).toEqual([]);
});

test("a look changes nothing", async () => {
  const id = await runKept("1", "01");
  rmSync(workspace.layout.run(id), { recursive: true });
  rmSync(workspace.layout.last("puppets"));
  const before = find();
  expect(before.garbage).not.toEqual([]);
  expect(find()).toEqual(before);
});

test("on a full disk the collector makes itself the room that its lock needs", () => {
  write("memo/files.json", "123", 0);
  let freeBytes = 0;
  const files = {
    ...workspace.files,
    remove(path: string) {
      freeBytes += workspace.files.stat(path)?.sizeBytes ?? 0;
      workspace.files.remove(path);
    },
  };
  const locks = {
    ...workspace.locks,
    tryCollect() {
      if (freeBytes === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      return workspace.locks.tryCollect();
    },
  };
  const lock = lockCollector({ files, layout: workspace.layout, locks });
  expect(lock).toHaveProperty("release");
  if ("release" in lock) lock.release();
});
