/**
 * Somebody still has a file open that a stage has left, and writes to it after it was sealed: modes do not stop them. Until
 * the trace is written that is refused, and later it is found by whoever uses the object.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem, SEALED_MTIME_NS } from "../../src/platform/file-system.ts";
import { PuppetRunner } from "../execute/puppet-run.ts";
import { openTemporaryStore } from "../temporary-store.ts";

/** Writes one byte to a file that it has had open since before it was sealed, at the moment it is told. */
function lateWriter(name: string): {
  readonly files: FileSystem;
  at: keyof FileSystem | "never";
  write(): void;
  close(): void;
} {
  let file: number | undefined;
  const late = {
    at: "never" as keyof FileSystem | "never",
    write() {
      if (file !== undefined) writeSync(file, "X", 0);
      late.at = "never";
    },
    close() {
      if (file !== undefined) closeSync(file);
    },
    files: {
      ...nodeFileSystem,
      setMode(path, mode) {
        if (mode === "sealed" && path.endsWith(name)) file = openSync(path, "r+");
        nodeFileSystem.setMode(path, mode);
      },
      async stream(path, onPiece) {
        await nodeFileSystem.stream(path, onPiece);
        if (late.at === "stream" && path.endsWith(name)) late.write();
      },
      rename(from, to) {
        if (late.at === "rename" && from.endsWith(name)) late.write();
        nodeFileSystem.rename(from, to);
      },
      writeNew(path, bytes) {
        if (late.at === "writeNew" && String(bytes).startsWith("tfpipe/folder/")) late.write();
        nodeFileSystem.writeNew(path, bytes);
      },
    } satisfies FileSystem,
  };
  return late;
}

describe("in the store", () => {
  const late = { writer: lateWriter("data.txt") };
  let store: ReturnType<typeof openTemporaryStore>;
  let folder: string;
  beforeEach(() => {
    late.writer = lateWriter("data.txt");
    store = openTemporaryStore(late.writer.files);
    folder = store.layout.temporary();
    mkdirSync(folder);
    writeFileSync(join(folder, "data.txt"), "the data");
  });
  afterEach(() => {
    late.writer.close();
    store.remove();
  });

  test.each(["stream", "rename"] as const)("what is written before %s has ended is refused", async (at) => {
    late.writer.at = at;
    await expect(store.artifacts.takeIn(folder, "metrics")).rejects.toThrow(/data.txt was still being written/);
  });

  test("an object's time is one that no clock says", async () => {
    const { digest } = await store.artifacts.takeIn(folder, "metrics");
    const [file] = store.artifacts.listing(digest)!.files;
    expect(nodeFileSystem.stat(store.layout.object(file!.digest))?.mtimeNs).toBe(SEALED_MTIME_NS);
  });

  test("what is written after it was taken in is never served, and goes to quarantine", async () => {
    const { digest } = await store.artifacts.takeIn(folder, "metrics");
    expect(await store.artifacts.inspect(digest)).toBeUndefined();
    late.writer.write();
    const out = join(store.root, "out");
    expect(store.artifacts.read(digest, "data.txt")).toBeUndefined();
    await expect(store.artifacts.copyOut(digest, out)).rejects.toThrow(/damaged/);
    expect(existsSync(join(out, "data.txt"))).toBe(false);
    expect(await store.artifacts.inspect(digest)).toMatchObject({ state: "damaged" });
    expect(readdirSync(join(store.layout.root, "quarantine"))).toHaveLength(1);
  });

  test("the memo does not know the object any more, however soon after it was taken in that was", async () => {
    const { digest } = await store.artifacts.takeIn(folder, "metrics");
    late.writer.write();
    expect(await store.artifacts.inspect(digest)).toMatchObject({ state: "damaged" });
  });
});

test("a stage whose output changes between its digest and its trace fails, and leaves no trace", async () => {
  const runner = new PuppetRunner();
  const late = lateWriter("out.txt");
  try {
    late.at = "writeNew";
    const stages = { one: { params: { text: "one" } } };
    const { records } = await runner.run(stages, { workspace: await runner.workspace(late.files) });
    expect(records[0]!.failure?.message).toMatch(/output out was still being written when the stage had ended/);
    expect(await runner.plan(stages)).toEqual({ one: "run" });
    expect((await runner.run(stages)).outcomes).toEqual({ one: "ran" });
    expect(runner.visible("one")).toBe("one");
  } finally {
    late.close();
    runner.remove();
  }
});
