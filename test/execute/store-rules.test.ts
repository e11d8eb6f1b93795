/**
 * The ten rules of the store, one test each, on real runs of puppets. What each rule means in detail is tested where it is
 * kept: test/cache/, visible-edits, unwritable-store, executor and executor-settings beside this file.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findGarbage, removeGarbage } from "../../src/cache/collect-garbage.ts";
import { findLiveRun } from "../../src/cache/run-lease.ts";
import { createRunStore } from "../../src/cache/run-store.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { createStatMemo } from "../../src/identity/stat-memo.ts";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { describeMachine } from "../../src/platform/machine.ts";
import { PuppetRunner } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

const chain = (text: string) => ({
  a: { params: { text } },
  b: { params: { text: "b" }, inputs: { in: "a" } },
});
const inStore = (...parts: string[]) => join(runner.folder, "artifacts", ".store", ...parts);

interface Change {
  readonly does: string;
  /** Relative to the store; of a rename, where to. */
  readonly path: string;
  readonly from?: string;
}

/** The real disk, with every change below the store written down. */
function recording(): { readonly files: FileSystem; readonly changes: Change[] } {
  const changes: Change[] = [];
  const note =
    <Args extends readonly [string, ...unknown[]]>(does: string, change: (...args: Args) => void) =>
    (...args: Args): void => {
      const [first, second] = args;
      const hasTarget = does === "rename" || does === "copy";
      const path = relative(inStore(), String(hasTarget ? second : first));
      changes.push({ does, path, ...(hasTarget ? { from: relative(inStore(), first) } : {}) });
      change(...args);
    };
  const { writeNew, append, flush, copy, rename, remove, setMode, touch } = nodeFileSystem;
  const files: FileSystem = {
    ...nodeFileSystem,
    writeNew: note("writeNew", writeNew),
    append: note("append", append),
    flush: note("flush", flush),
    copy: note("copy", copy),
    rename: note("rename", rename),
    remove: note("remove", remove),
    setMode: (path, mode) => note(mode, () => setMode(path, mode))(path),
    touch: note("touch", touch),
  };
  return { files, changes };
}

test("1. a blob is written to tmp, sealed, flushed and renamed; a trace comes after all its blobs", async () => {
  const { files, changes } = recording();
  await runner.run({ a: { params: { text: "a" } } }, { workspace: await runner.workspace(files) });
  const moves = changes.filter(({ does, path }) => does === "rename" && /^(objects|traces)/.test(path));
  // A file, its listing, and the code that made it.
  expect(moves.map(({ path }) => path.split("/")[0])).toEqual(["objects", "objects", "objects", "traces"]);
  for (const { from, path } of moves.slice(0, 3)) {
    expect(from).toMatch(/^tmp\//);
    const before = changes.slice(0, changes.indexOf(moves.find((move) => move.path === path)!));
    expect(
      before.filter((change) => change.path === from && change.does !== "writeNew").map(({ does }) => does),
    ).toEqual(["sealed", "flush"]);
  }
});

test("2. restoring verifies: what is damaged goes to quarantine with a warning, and its stage runs, with that reason", async () => {
  const { records } = await runner.run(chain("a"));
  const workspace = await runner.workspace();
  const [listed] = workspace.artifacts.listing(records[0]!.outputs.out!.digest)!.files;
  const path = workspace.layout.object(listed!.digest);
  chmodSync(path, 0o644);
  writeFileSync(path, "X");
  // The memo believes that it is as it was, so that only the copy can tell.
  workspace.memo.note(path, nodeFileSystem.stat(path)!, listed!.digest, true);
  rmSync(join(runner.folder, "artifacts", "puppets", "a"), { recursive: true });
  const result = await runner.run(chain("a"), { workspace });
  expect(result.outcomes).toEqual({ a: "ran", b: "fresh" });
  expect(result.warnings).toEqual([expect.stringMatching(/is damaged; a runs again$/)]);
  expect(result.records[0]!.reason).toMatch(/is damaged$/);
  expect(readdirSync(inStore("quarantine"))).toHaveLength(1);
  expect(runner.visible("a")).toBe("a");
});

test("3. an input that was changed while its stage ran, and set back, fails the stage, and nothing is stored", async () => {
  const data = join(runner.folder, "data");
  writeFileSync(data, "data");
  const stages = { a: { params: { text: "a", waitFor: join(runner.folder, "go"), tell: true }, inputs: { data } } };
  const { records } = await runner.run(stages, {
    onEvent(event) {
      if (event.type !== "stage-logged") return;
      writeFileSync(data, "atad");
      writeFileSync(data, "data");
      writeFileSync(join(runner.folder, "go"), "");
    },
  });
  expect(records[0]!.failure?.message).toContain(`input ${data} was changed while the stage ran`);
  expect(readdirSync(inStore("objects"))).toEqual([]);
  expect(readdirSync(inStore("traces"))).toEqual([]);
});

test("3. an input in the store that its stage wrote into, as root can, fails the stage, and is made again", async () => {
  await runner.run(chain("a"));
  // A stage of one file: what the puppet writes over is its object in the store.
  const spoil = (params: object) => ({
    a: { params: { text: "a" } },
    bad: { params: { text: "bad", ...params }, inputs: { in: "a" } },
  });
  const failed = await runner.run(spoil({ spoilInput: "in", spoilFile: "out.txt" }));
  expect(failed.outcomes).toEqual({ a: "fresh", bad: "failed" });
  expect(failed.records[1]!.failure?.message).toBe(
    "input in was changed in the store while the stage ran, so its result cannot be kept",
  );
  expect(readdirSync(inStore("quarantine"))).toHaveLength(1);
  expect(runner.visible("a")).toBe("a");
  const again = await runner.run(spoil({}));
  expect(again.outcomes).toEqual({ a: "ran", bad: "ran" });
  expect(runner.visible("bad")).toBe("badin(a)");
});

test("4. outputs are moved in on success; a run that fails leaves the old ones", async () => {
  await runner.run(chain("a"));
  const failing = { ...chain("a"), b: { params: { text: "z", fail: true }, inputs: { in: "a" } } };
  expect((await runner.run(failing)).outcomes).toEqual({ a: "fresh", b: "failed" });
  expect(runner.visible("b")).toBe("bin(a)");
  expect(readdirSync(inStore("tmp"))).toEqual([]);
});

test("5. of two at once with one fingerprint one executes; the other waits, says so, and takes its trace", async () => {
  const go = join(runner.folder, "go");
  const stages = { a: { params: { text: "a", tell: true, waitFor: go } } };
  let second: ReturnType<typeof runner.run> | undefined;
  const first = await runner.run(stages, {
    onEvent(event) {
      if (event.type !== "stage-logged" || second !== undefined) return;
      second = runner.run(stages, {
        onEvent: ({ type }) => {
          if (type === "stage-waiting") writeFileSync(go, "");
        },
      });
    },
  });
  expect(first.outcomes).toEqual({ a: "ran" });
  expect((await second!).outcomes).toEqual({ a: "restored" });
  expect(readdirSync(inStore("locks"))).toEqual([]);
});

test("6. two results of one fingerprint are both kept; on one class of machine the stage is called nondeterministic", async () => {
  const stages = { dice: { params: { text: "", random: true } } };
  const [first] = (await runner.run(stages)).records;
  const again = await runner.run(stages, { force: ["dice"] });
  expect(again.warnings).toEqual([expect.stringMatching(/^dice is nondeterministic/)]);
  const elsewhere = await runner.workspace(nodeFileSystem, { ...describeMachine(), architecture: "riscv" });
  expect((await runner.run(stages, { force: ["dice"], workspace: elsewhere })).warnings).toEqual([]);
  const workspace = await runner.workspace();
  const traces = workspace.traces.find(first!.fingerprint!);
  expect(new Set(traces.map(({ outputs }) => outputs.out!.digest)).size).toBe(3);
  for (const { outputs } of traces)
    expect(await workspace.artifacts.inspect(outputs.out!.digest, true)).toBeUndefined();
});

test("7. nothing is collected that a run needs which goes on; afterwards what nothing refers to goes", async () => {
  const go = join(runner.folder, "go");
  const workspace = await runner.workspace();
  const find = () => findGarbage({ ...workspace, runs: createRunStore(workspace) }, {}, Date.now()).garbage;
  let live: unknown;
  await runner.run(
    { ...chain("a"), b: { params: { text: "b", tell: true, waitFor: go }, inputs: { in: "a" } } },
    {
      onEvent(event) {
        if (event.type !== "stage-logged") return;
        live = findLiveRun(workspace);
        writeFileSync(go, "");
      },
    },
  );
  expect(live).toMatchObject({ pid: process.pid });
  expect(findLiveRun(workspace)).toBeUndefined();
  expect(find()).toEqual([]);
  rmSync(workspace.layout.last("puppets"));
  removeGarbage(workspace.files, find());
  expect(readdirSync(inStore("traces")).flatMap((shard) => readdirSync(inStore("traces", shard)))).toEqual([]);
});

test("7. a run waits for a collector that is at work, and says so", async () => {
  const workspace = await runner.workspace();
  const collector = workspace.locks.tryCollect();
  const result = await runner.run(chain("a"), {
    workspace,
    onEvent({ type }) {
      if (type === "warned" && "release" in collector) collector.release();
    },
  });
  expect(result.warnings).toEqual([expect.stringMatching(/^waits for the end of pipe gc \(process \d+ on here\)$/)]);
  expect(result.outcomes).toEqual({ a: "ran", b: "ran" });
});

test("8. a store that cannot be written costs the keeping, not the run", async () => {
  const refuse = (path: string): void => {
    if (path.startsWith(`${inStore()}/`)) throw Object.assign(new Error("EROFS"), { code: "EROFS", path });
  };
  const workspace: Workspace = await runner.workspace({
    ...nodeFileSystem,
    writeNew(path, bytes) {
      refuse(path);
      nodeFileSystem.writeNew(path, bytes);
    },
    rename(from, to) {
      refuse(to);
      nodeFileSystem.rename(from, to);
    },
  });
  const result = await runner.run(chain("a"), { workspace });
  expect(result.outcomes).toEqual({ a: "ran", b: "ran" });
  expect(result.warnings).toEqual([
    expect.stringMatching(/^the store cannot be written: the file system is read-only/),
  ]);
  expect(runner.visible("b")).toBe("bin(a)");
});

test("9. the memo is believed where the stat is equal and old enough, and never when paranoid", async () => {
  const path = join(runner.folder, "file");
  writeFileSync(path, "one");
  const stat = nodeFileSystem.stat(path)!;
  const openMemo = (nowNs: bigint, paranoid = false) =>
    createStatMemo({
      files: nodeFileSystem,
      path: join(runner.folder, "memo.json"),
      tmp: () => join(runner.folder, "memo.tmp"),
      nowNs: () => nowNs,
      paranoid,
    });
  const later = stat.ctimeNs + 10_000_000_000n;
  const young = openMemo(stat.ctimeNs);
  young.note(path, stat, "digest");
  expect(young.recall(path, stat)).toBeUndefined();
  const old = openMemo(later);
  old.note(path, stat, "digest");
  expect(old.recall(path, stat)).toBe("digest");
  for (const moved of [{ sizeBytes: 4 }, { mtimeNs: 1n }, { ctimeNs: 1n }, { inode: 1n }])
    expect(old.recall(path, { ...stat, ...moved })).toBeUndefined();
  old.save();
  expect(openMemo(later).recall(path, stat)).toBe("digest");
  expect(openMemo(later, true).recall(path, stat)).toBeUndefined();
});

test("10. no file of the store is ever changed in place: new ones, renames and removals only", async () => {
  const { files, changes } = recording();
  mkdirSync(join(runner.folder, "artifacts"));
  for (const text of ["a", "z", "a"]) await runner.run(chain(text), { workspace: await runner.workspace(files) });
  const kinds = new Set(
    changes.map(({ does, path }) => `${does} ${path.startsWith("..") ? "visible" : path.split("/")[0]}`),
  );
  expect([...kinds].sort()).toEqual(
    [
      "copy tmp",
      "flush tmp",
      "placed tmp",
      "remove leases",
      "remove locks",
      "remove tmp",
      "rename last",
      "rename objects",
      "rename tmp",
      "rename traces",
      "rename visible",
      "sealed tmp",
      "writable-executable tmp",
      "writeNew leases",
      "writeNew locks",
      "writeNew tmp",
    ].sort(),
  );
  expect(existsSync(inStore("tmp"))).toBe(true);
  expect(readFileSync(inStore("last", "puppets.json"), "utf8")).toContain("tfpipe/last/1");
});
