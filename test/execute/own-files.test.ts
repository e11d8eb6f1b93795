/** What a stage leaves behind is nobody else's: no other name of a file leads into the store, no closed folder stays. */
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ownFiles, removeStaging } from "../../src/execute/own-files.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";

let root: string;
let count = 0;
const layout = { temporary: () => join(root, `t${++count}`) };
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "own-"));
  mkdirSync(join(root, "out", "sub"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a file that is a hard link to the user's becomes a copy, and theirs stays as it is", () => {
  writeFileSync(join(root, "mine.txt"), "mine");
  linkSync(join(root, "mine.txt"), join(root, "out", "sub", "result.txt"));
  ownFiles(nodeFileSystem, layout, join(root, "out"));
  writeFileSync(join(root, "mine.txt"), "edited");
  expect(readFileSync(join(root, "out", "sub", "result.txt"), "utf8")).toBe("mine");
});

test("a file of its own stays the very file, and keeps that it can be executed", () => {
  const path = join(root, "out", "tool");
  writeFileSync(path, "#!/bin/sh", { mode: 0o755 });
  const before = statSync(path).ino;
  ownFiles(nodeFileSystem, layout, join(root, "out"));
  expect(statSync(path).ino).toBe(before);
  linkSync(path, join(root, "other"));
  ownFiles(nodeFileSystem, layout, join(root, "out"));
  expect(statSync(path).ino).not.toBe(before);
  expect(nodeFileSystem.stat(path)?.executable).toBe(true);
});

test("a folder that was closed is opened", () => {
  chmodSync(join(root, "out", "sub"), 0o500);
  ownFiles(nodeFileSystem, layout, join(root, "out"));
  expect(statSync(join(root, "out", "sub")).mode & 0o777).toBe(0o755);
});

test("staging goes, also where its folders were closed and the file system refuses at first", () => {
  writeFileSync(join(root, "out", "sub", "a"), "a");
  chmodSync(join(root, "out", "sub"), 0o500);
  const refusing = {
    ...nodeFileSystem,
    remove(path: string) {
      if ((statSync(join(root, "out", "sub")).mode & 0o200) === 0) throw new Error("EACCES");
      nodeFileSystem.remove(path);
    },
  };
  removeStaging(refusing, join(root, "out"));
  expect(existsSync(join(root, "out"))).toBe(false);
});
