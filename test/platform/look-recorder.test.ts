import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { createLookRecorder, type LookRecorder, type Looks } from "../../src/platform/look-recorder.ts";

let folder: string;
let file: string;
let recorder: LookRecorder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "looks-"));
  file = join(folder, "file");
  writeFileSync(file, "text");
  recorder = createLookRecorder(nodeFileSystem);
});
afterEach(() => rmSync(folder, { recursive: true }));

const looksOf = async (work: (files: FileSystem) => unknown): Promise<Looks> =>
  (await recorder.record(async () => void (await work(recorder.files)))).looks;

/** What each method of the port is called with. */
const calls: Record<keyof FileSystem, (files: FileSystem) => unknown> = {
  stat: (files) => files.stat(file),
  list: (files) => files.list(folder),
  read: (files) => files.read(file),
  readText: (files) => files.readText(file),
  stream: (files) => files.stream(file, () => {}),
  digestBeside: (files) => files.digestBeside?.(file),
  makeFolder: (files) => files.makeFolder(join(folder, "made")),
  writeNew: (files) => files.writeNew(join(folder, "new"), "new"),
  append: (files) => files.append(file, "more"),
  flush: (files) => files.flush(file),
  copy: (files) => files.copy(file, join(folder, "copy")),
  rename: (files) => files.rename(file, join(folder, "renamed")),
  remove: (files) => files.remove(file),
  setMode: (files) => files.setMode(file, "read-only"),
  touch: (files) => files.touch(file),
  link: (files) => files.link(folder, join(folder, "link")),
  resolveLink: (files) => files.resolveLink(file),
};

describe("a recorder of looks", () => {
  test("has every method of the port, and none past it", () => {
    const names = Object.keys(nodeFileSystem).sort() as (keyof FileSystem)[];
    expect(Object.keys(recorder.files).sort()).toEqual(names);
    expect(names.filter((name) => calls[name] === undefined)).toEqual([]);
    expect(names.filter((name) => recorder.files[name] === nodeFileSystem[name])).toEqual([]);
  });

  test.each(Object.keys(nodeFileSystem) as (keyof FileSystem)[])(
    "%s leaves the stat of what it looked at, or says that stats do not tell the whole",
    async (name) => {
      const { stats, isWhole } = await looksOf(calls[name]);
      expect(stats.size > 0 || !isWhole).toBe(true);
    },
  );

  test("keeps the stat of before the reading, whatever is written after it", async () => {
    const before = nodeFileSystem.stat(file);
    const { stats } = await looksOf((files) => {
      files.read(file);
      writeFileSync(file, "another text");
      files.stat(file);
    });
    expect(stats.get(file)).toEqual(before);
  });

  test("knows that nothing was there, and what was in a folder", async () => {
    mkdirSync(join(folder, "inner"));
    const { stats, isWhole } = await looksOf((files) => {
      files.stat(join(folder, "none"));
      files.readText(join(folder, "gone"));
      files.list(join(folder, "inner"));
    });
    expect([...stats].map(([path, stat]) => [path, stat?.kind])).toEqual([
      [join(folder, "none"), undefined],
      [join(folder, "gone"), undefined],
      [join(folder, "inner"), "folder"],
    ]);
    expect(isWhole).toBe(true);
  });

  test("gives each piece of work its own looks, also after one that failed", async () => {
    await expect(
      recorder.record(async () => {
        recorder.files.stat(file);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    recorder.files.stat(file);
    expect((await looksOf((files) => files.stat(folder))).stats).toEqual(
      new Map([[folder, nodeFileSystem.stat(folder)]]),
    );
  });
});
