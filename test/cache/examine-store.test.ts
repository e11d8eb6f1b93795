/** Each kind of damage a store can have: found, repaired or said, and the next run is right. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { examineStore } from "../../src/cache/examine-store.ts";
import { createRunStore } from "../../src/cache/run-store.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";
import { PuppetRunner } from "../execute/puppet-run.ts";

let runner: PuppetRunner;
let workspace: Workspace;
beforeEach(async () => {
  runner = new PuppetRunner();
  workspace = await runner.workspace();
  await runner.run(stages, { workspace });
});
afterEach(() => runner.remove());

const stages = { a: { params: { text: "a" } }, b: { params: { text: "b" }, inputs: { in: "a" } } };
const inStore = (...parts: string[]) => join(workspace.layout.root, ...parts);
const all = (folder: string) =>
  readdirSync(inStore(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

async function examine(files = workspace.files) {
  const examined = await examineStore({ ...workspace, files, runs: createRunStore(workspace) }, Date.now());
  const found = examined.findings.map(({ path, problem }) => `${path.split("/")[0]}: ${problem}`);
  return { ...examined, found };
}

/** The object of a stage's only file. */
async function fileOf(stage: string): Promise<string> {
  const { records } = await runner.run(stages, { workspace });
  const { digest } = records.find((record) => record.stage === stage)!.outputs.out!;
  return workspace.layout.object(workspace.artifacts.listing(digest)!.files[0]!.digest);
}

async function expectRepaired(ran: readonly string[]): Promise<void> {
  const { outcomes } = await runner.run(stages);
  expect(Object.keys(outcomes).filter((stage) => outcomes[stage] === "ran")).toEqual(ran);
  expect(runner.visible("b")).toBe("bin(a)");
  expect((await examine()).findings).toEqual([]);
}

test("a sound store is all right, and nothing in it is touched", async () => {
  const before = all("objects").map((path) => nodeFileSystem.stat(path));
  expect(await examine()).toMatchObject({ findings: [], objects: 5, traces: 2, checkpoints: 0, quarantined: 0 });
  expect(all("objects").map((path) => nodeFileSystem.stat(path))).toEqual(before);
});

describe("an object", () => {
  const writable = (path: string): string => {
    chmodSync(path, 0o644);
    return path;
  };
  const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
    flipped: (path) => {
      const bytes = readFileSync(path);
      bytes.writeUInt8(bytes.readUInt8(0) ^ 4, 0);
      writeFileSync(writable(path), bytes);
    },
    truncated: (path) => truncateSync(writable(path), 1),
    emptied: (path) => truncateSync(writable(path), 0),
    extended: (path) => appendFileSync(writable(path), "x"),
    "turned into a link": (path) => {
      renameSync(path, join(runner.folder, "elsewhere"));
      symlinkSync(join(runner.folder, "elsewhere"), path);
    },
  };
  test.each(Object.entries(DAMAGES))(
    "%s goes to quarantine, its trace goes, and its stage runs again",
    async (_, damage) => {
      // Of one byte, it truncates to what it was.
      rmSync(runner.folder, { recursive: true });
      runner = new PuppetRunner();
      workspace = await runner.workspace();
      const longer = { ...stages, a: { params: { text: "a longer text" } } };
      const { records } = await runner.run(longer, { workspace });
      const { digest } = records[0]!.outputs.out!;
      damage(workspace.layout.object(workspace.artifacts.listing(digest)!.files[0]!.digest));
      const { found, findings, quarantined } = await examine();
      expect(found).toEqual([
        expect.stringMatching(/^objects: is (not what its name says|no file)$/),
        expect.stringMatching(/^traces: names object \w{12}, which is lost$/),
      ]);
      expect(findings.every(({ repaired }) => repaired)).toBe(true);
      expect(quarantined).toBe(1);
      expect((await runner.run(longer)).outcomes).toEqual({ a: "ran", b: "fresh" });
      expect((await examine()).findings).toEqual([]);
    },
  );

  test("swapped with another: both go, and both stages run", async () => {
    const [a, b] = [await fileOf("a"), await fileOf("b")];
    renameSync(a, `${a}.tmp`);
    renameSync(b, a);
    renameSync(`${a}.tmp`, b);
    expect((await examine()).found).toEqual([
      "objects: is not what its name says",
      "objects: is not what its name says",
      expect.stringMatching(/^traces: names object/),
      expect.stringMatching(/^traces: names object/),
    ]);
    await expectRepaired(["a", "b"]);
  });

  test("deleted: its trace goes", async () => {
    rmSync(await fileOf("b"));
    expect((await examine()).found).toEqual([expect.stringMatching(/^traces: names object \w{12}, which is lost$/)]);
    await expectRepaired(["b"]);
  });

  test("that is the code of a result can be lost: it goes, and the result stays", async () => {
    const { records } = await runner.run(stages, { workspace });
    const { ran } = workspace.traces.find(records[0]!.fingerprint!)[0]!.code;
    appendFileSync(writable(workspace.layout.object(ran!.files[ran!.entry]!.digest)), "x");
    expect((await examine()).found).toEqual(["objects: is not what its name says"]);
    await expectRepaired([]);
  });

  test("that is a folder's listing counts as much as the files", async () => {
    const { records } = await runner.run(stages, { workspace });
    const listing = workspace.layout.object(records[1]!.outputs.out!.digest);
    writeFileSync(writable(listing), "tfpipe/folder/1\n");
    expect((await examine()).found).toEqual([
      "objects: is not what its name says",
      expect.stringMatching(/^traces: names object/),
    ]);
    await expectRepaired(["b"]);
  });

  test("that the disk cannot read is out of the way afterwards", async () => {
    const unreadable = await fileOf("b");
    const { found } = await examine({
      ...nodeFileSystem,
      async stream(path, onPiece) {
        if (path === unreadable) throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
        await nodeFileSystem.stream(path, onPiece);
      },
    });
    expect(found[0]).toBe("objects: cannot be read: EIO: i/o error, read");
    await expectRepaired(["b"]);
  });
});

describe("what refers to objects", () => {
  test.each(["", "{}", "null", "not JSON"])("a trace that reads %j goes to quarantine", async (text) => {
    writeFileSync(all("traces")[0]!, text);
    expect((await examine()).found).toEqual(["traces: is not what its name says"]);
    const { outcomes } = await runner.run(stages);
    expect(Object.values(outcomes).filter((outcome) => outcome === "ran")).toHaveLength(1);
  });

  test("of two traces of one key only the one that lost an object goes", async () => {
    const dice = { dice: { params: { text: "", random: true } } };
    await runner.run(dice, { workspace });
    const kept = await runner.run(dice, { workspace, force: ["dice"] });
    const fingerprint = kept.records[0]!.fingerprint!;
    const other = workspace.traces
      .find(fingerprint)
      .find(({ outputs }) => outputs.out!.digest !== kept.records[0]!.outputs.out!.digest)!;
    rmSync(workspace.layout.object(other.outputs.out!.digest));
    expect((await examine()).found).toEqual([expect.stringMatching(/^traces: names object/)]);
    expect(workspace.traces.find(fingerprint)).toHaveLength(1);
  });

  test.each(["", "{}", "null", '{"digest":4}'])("a checkpoint entry that reads %j is removed", async (text) => {
    const folder = workspace.layout.temporary();
    mkdirSync(folder);
    writeFileSync(join(folder, "state"), "one");
    await workspace.checkpoints.save("base", 1, folder);
    expect((await examine()).found).toEqual([]);
    writeFileSync(all("checkpoints")[0]!, text);
    expect((await examine()).found).toEqual(["checkpoints: a checkpoint that is not whole"]);
    expect(await workspace.checkpoints.find("base", 1)).toBeUndefined();
    expect((await examine()).found).toEqual([]);
  });

  test.each(["{", "{}", "null"])("the record of a run that reads %j goes to quarantine", async (text) => {
    mkdirSync(workspace.layout.run("20260101T000000-abcdef"), { recursive: true });
    writeFileSync(join(workspace.layout.run("20260101T000000-abcdef"), "run.json"), text);
    expect((await examine()).found).toEqual(["runs: is no record of a run that can be read"]);
    expect((await examine()).found).toEqual([]);
  });

  test("what the last run was, and pins of runs that are gone", async () => {
    writeFileSync(workspace.layout.last("puppets"), '{"stages"');
    mkdirSync(inStore("pins"));
    writeFileSync(inStore("pins", "20260101T000000-abcdef"), "");
    expect((await examine()).found).toEqual(["last: cannot be read as JSON", "pins: pins a run that is gone"]);
    await expectRepaired([]);
  });
});

describe("what only saves work", () => {
  test.each(["", "[]", "null", `${"0".repeat(64)}\n[]`])("a memo that reads %j is removed", async (text) => {
    writeFileSync(workspace.layout.memo("files"), text);
    expect((await examine()).found).toEqual(["memo: is not as it was written"]);
    expect(existsSync(workspace.layout.memo("files"))).toBe(false);
  });

  test("locks and leases of the dead go, those of the living stay", async () => {
    const held = workspace.locks.tryAcquire("living");
    const dead = JSON.stringify({ pid: 2 ** 30, identity: "x", host: "here" });
    writeFileSync(workspace.layout.lock("f".repeat(64)), dead);
    writeFileSync(workspace.layout.lease("20260101T000000-abcdef"), dead);
    writeFileSync(workspace.layout.lock("cut-short"), "");
    utimesSync(workspace.layout.lock("cut-short"), 1, 1);
    expect((await examine()).found.sort()).toEqual([
      "leases: a lock whose holder is gone",
      "locks: a lock whose holder is gone",
      "locks: a lock whose holder is gone",
    ]);
    expect(readdirSync(inStore("leases"))).toEqual([]);
    expect(readdirSync(inStore("locks"))).toEqual(["living.json"]);
    if ("release" in held) held.release();
  });

  test("what was left half done goes after a day, since before it may be another host's", async () => {
    writeFileSync(inStore("tmp", "young"), "");
    writeFileSync(inStore("tmp", "old"), "");
    utimesSync(inStore("tmp", "old"), 1, 1);
    expect((await examine()).found).toEqual(["tmp: was left half done more than a day ago"]);
    expect(readdirSync(inStore("tmp"))).toEqual(["young"]);
  });
});

test("what the file system refuses to repair is left, and said", async () => {
  const path = await fileOf("b");
  chmodSync(path, 0o644);
  writeFileSync(path, "spoilt");
  const refuse = (path_: string): never => {
    throw Object.assign(new Error(`EROFS: read-only file system, ${path_}`), { code: "EROFS" });
  };
  const { findings } = await examine({ ...nodeFileSystem, rename: refuse, remove: refuse });
  expect(findings).toEqual([
    expect.objectContaining({
      problem: "is not what its name says",
      outcome: expect.stringMatching(/^cannot be repaired: EROFS/),
      repaired: false,
    }),
  ]);
  expect(existsSync(path)).toBe(true);
});
