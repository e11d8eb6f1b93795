/** What is remembered of fresh stages spares reading, and never says fresh where looking anew would not. */
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Workspace } from "../../src/execute/workspace.ts";
import { sealText } from "../../src/identity/sealed-text.ts";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

let runner: PuppetRunner;
let input: string;
let stages: Record<string, PuppetStage>;
let read: string[];
beforeEach(() => {
  runner = new PuppetRunner();
  input = join(runner.folder, "input.txt");
  writeFileSync(input, "in");
  stages = {
    first: { params: { text: "a" }, inputs: { file: input } },
    second: { params: { text: "b" }, inputs: { from: "first" } },
  };
  read = [];
});
afterEach(() => runner.remove());

const store = (...parts: string[]) => join(runner.folder, "artifacts", ".store", ...parts);
const memoFile = (name = "puppets") => store("memo", `fresh-${name}.json`);

/** Tells what of the store is read. */
const telling: FileSystem = {
  ...nodeFileSystem,
  read(path) {
    read.push(path);
    return nodeFileSystem.read(path);
  },
  readText(path) {
    read.push(path);
    return nodeFileSystem.readText(path);
  },
  stream(path, onPiece) {
    read.push(path);
    return nodeFileSystem.stream(path, onPiece);
  },
};
const readOfStore = () => read.filter((path) => path.startsWith(store("traces")) || path.startsWith(store("objects")));

/** As if it were a minute later: all that is there now was there for long. */
async function later(change: Partial<Workspace> = {}): Promise<Workspace> {
  const workspace = await runner.workspace(telling);
  const date = () => new Date(Date.now() + 60_000).toISOString();
  return { ...workspace, clock: { ...workspace.clock, date }, ...change };
}
const decisions = async (change: Partial<Workspace> = {}) => {
  read = [];
  return runner.plan(stages, await later(change));
};
const FRESH = { first: "fresh", second: "fresh" };

async function remember(): Promise<void> {
  await runner.run(stages);
  expect(await decisions()).toEqual(FRESH);
  expect(readOfStore()).not.toEqual([]);
  expect(existsSync(memoFile())).toBe(true);
}

const firstFile = (...folder: string[]): string => {
  const found = readdirSync(store(...folder), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return join(found[0]!.parentPath, found[0]!.name);
};
const traceOf = (stage: string) => {
  const { stages: last } = JSON.parse(readFileSync(store("last", "puppets.json"), "utf8"));
  return firstFile("traces", last[stage].slice(0, 2), last[stage]);
};
const objectWith = (text: string): string => {
  for (const one of readdirSync(store("objects"), { recursive: true, withFileTypes: true })) {
    const path = join(one.parentPath, one.name);
    if (one.isFile() && readFileSync(path, "utf8") === text) return path;
  }
  throw new Error(`no object holds ${text}`);
};
/** Other bytes of the same length in place, with the times set back. */
const spoil = (path: string) => {
  const { atime, mtime } = statSync(path);
  chmodSync(path, 0o644);
  const bytes = readFileSync(path);
  bytes[0] = bytes[0]! ^ 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
  chmodSync(path, 0o444);
};
const visible = (stage: string) => join(runner.folder, "artifacts", "puppets", stage, "out", "out.txt");

describe("the memo of fresh stages", () => {
  test("spares every reading of the store, and gives the same plan", async () => {
    await remember();
    const long = await runner.planned(stages, { workspace: await later({ paranoid: true }) });
    read = [];
    const short = await runner.planned(stages, { workspace: await later() });
    expect(readOfStore()).toEqual([]);
    expect(short).toEqual(long);
  });

  test("spares them too where only some stages were remembered", async () => {
    await remember();
    stages.third = { params: { text: "c" }, inputs: { from: "second" } };
    await runner.run(stages);
    expect(await decisions()).toEqual({ ...FRESH, third: "fresh" });
    expect(await decisions()).toEqual({ ...FRESH, third: "fresh" });
    expect(readOfStore()).toEqual([]);
  });

  test.each<[string, () => void, Record<string, string>]>([
    ["an edited input", () => appendFileSync(input, "!"), { first: "run", second: "pending" }],
    ["an edited input of the same size and time", () => spoil(input), { first: "run", second: "pending" }],
    ["a lost input", () => rmSync(input), { first: "run", second: "pending" }],
    ["an edited result", () => spoil(visible("first")), { first: "restore", second: "fresh" }],
    ["a lost result", () => rmSync(visible("second")), { first: "fresh", second: "restore" }],
    ["a flipped bit in an object", () => spoil(objectWith("afile(in)")), { first: "run", second: "pending" }],
    ["a lost object", () => rmSync(objectWith("bfrom(afile(in))")), { first: "fresh", second: "run" }],
    ["a flipped bit in a listing", () => spoil(listingOf("first")), { first: "run", second: "pending" }],
    ["a flipped bit in a trace", () => spoil(traceOf("second")), { first: "fresh", second: "run" }],
    ["a lost trace", () => rmSync(traceOf("first")), { first: "run", second: "pending" }],
    [
      "an input that another file took the place of",
      () => {
        writeFileSync(`${input}.new`, "IN");
        const { atime, mtime } = statSync(input);
        utimesSync(`${input}.new`, atime, mtime);
        renameSync(`${input}.new`, input);
      },
      { first: "run", second: "pending" },
    ],
  ])("sees %s", async (_what, happen, expected) => {
    await remember();
    happen();
    expect(await decisions()).toEqual(expected);
  });

  test("sees a trace that came to the one it knew", async () => {
    await remember();
    writeFileSync(join(traceOf("first"), "..", "another.json"), "{}");
    expect(await decisions()).toEqual(FRESH);
    expect(readOfStore()).toContain(traceOf("first"));
  });

  test("sees a file that came to an input folder", async () => {
    const folder = join(runner.folder, "artifacts", "..", "data");
    nodeFileSystem.makeFolder(join(folder, "inner"));
    writeFileSync(join(folder, "inner", "one.txt"), "one");
    stages.first = { params: { text: "a" }, inputs: { file: folder } };
    await remember();
    expect(await decisions()).toEqual(FRESH);
    expect(readOfStore()).toEqual([]);
    writeFileSync(join(folder, "inner", "two.txt"), "");
    expect(await decisions()).toEqual({ first: "run", second: "pending" });
  });

  test("does not remember what was looked at in the moment it was made", async () => {
    await runner.run(stages);
    const madeMs = Math.min(...["first", "second"].map((stage) => statSync(traceOf(stage)).mtimeMs));
    const workspace = await later();
    const date = () => new Date(madeMs).toISOString();
    const plan = await runner.plan(stages, { ...workspace, clock: { ...workspace.clock, date } });
    expect(plan).toEqual(FRESH);
    expect(existsSync(memoFile())).toBe(false);
  });

  test("is not believed where it is damaged, cut short, empty, or something else", async () => {
    await remember();
    const text = readFileSync(memoFile(), "utf8");
    for (const wrong of [
      text.replace('"up to date"', '"up to dare"'),
      text.slice(0, -10),
      "",
      "{}",
      sealText("null").text,
      sealText("{nonsense").text,
      sealText(JSON.stringify({ format: "tfpipe/fresh/0", stages: {} })).text,
    ]) {
      writeFileSync(memoFile(), wrong);
      expect(await decisions()).toEqual(FRESH);
      expect(readOfStore()).not.toEqual([]);
    }
  });

  test("is not believed of another pipeline, another code or another kind of machine", async () => {
    await remember();
    stages.second = { params: { text: "other" }, inputs: { from: "first" } };
    expect(await decisions()).toEqual({ first: "fresh", second: "run" });
    stages.second = { params: { text: "b" }, inputs: { from: "first" } };
    await decisions();
    const { code, machine } = await later();
    await decisions({ code: { ...code, digest: "another" } });
    expect(readOfStore()).not.toEqual([]);
    await decisions();
    await decisions({ machine: { ...machine, instructions: "another" } });
    expect(readOfStore()).not.toEqual([]);
    await runner.run({ first: { params: { text: "x" } }, second: { params: { text: "y" } } }, { name: "others" });
    copyFileSync(memoFile(), memoFile("others"));
    await runner.planned(stages, { workspace: await later(), name: "others" });
    expect(readOfStore()).not.toEqual([]);
  });

  test("is not believed when paranoid, and is made anew", async () => {
    await remember();
    rmSync(memoFile());
    expect(await decisions({ paranoid: true })).toEqual(FRESH);
    expect(readOfStore()).not.toEqual([]);
    expect(await decisions({ paranoid: true })).toEqual(FRESH);
    expect(readOfStore()).not.toEqual([]);
    expect(await decisions()).toEqual(FRESH);
    expect(readOfStore()).toEqual([]);
  });

  test("says nothing of a stage that is forced, or runs each time", async () => {
    await remember();
    const forced = await runner.planned(stages, { workspace: await later(), force: ["second"] });
    expect(forced.map(({ decision }) => decision)).toEqual(["fresh", "run"]);
    stages.second = { ...stages.second!, execution: { cache: false } };
    expect(await decisions()).toEqual({ first: "fresh", second: "run" });
  });

  test("that cannot be written is done without", async () => {
    await runner.run(stages);
    const full: FileSystem = {
      ...telling,
      writeNew() {
        throw Object.assign(new Error("full"), { code: "ENOSPC" });
      },
    };
    const workspace = await runner.workspace(full);
    expect(await runner.plan(stages, { ...workspace, clock: (await later()).clock })).toEqual(FRESH);
    expect(existsSync(memoFile())).toBe(false);
  });
});

function listingOf(stage: string): string {
  const { outputs } = JSON.parse(readFileSync(traceOf(stage), "utf8"));
  const { digest } = outputs.out;
  return store("objects", digest.slice(0, 2), digest);
}
