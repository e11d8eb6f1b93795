import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchPaths } from "../../src/platform/watch-paths.ts";

let folder: string;
let seen: Set<string>;
let stop: () => void;
const path = (...parts: string[]) => join(folder, ...parts);
const watch = (...paths: string[]) => {
  stop = watchPaths({
    paths: paths.map((name) => path(name)),
    onChange: (changed) => seen.add(changed),
    onUnwatchable: (where, why) => expect.unreachable(`${where}: ${why}`),
  });
};
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "watched-")));
  seen = new Set();
  writeFileSync(path("a.txt"), "a");
  writeFileSync(path("b.txt"), "b");
  mkdirSync(path("data", "inner"), { recursive: true });
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("a watched path", () => {
  test("tells when its file is written, and other files beside it do not", async () => {
    watch("a.txt");
    writeFileSync(path("b.txt"), "B");
    writeFileSync(path("a.txt"), "A");
    await expect.poll(() => [...seen]).toEqual([path("a.txt")]);
  });

  test("tells when another file takes its place, as editors do, and again after that", async () => {
    watch("a.txt");
    writeFileSync(path("new"), "A");
    renameSync(path("new"), path("a.txt"));
    await expect.poll(() => seen.has(path("a.txt"))).toBe(true);
    seen.clear();
    writeFileSync(path("a.txt"), "AA");
    await expect.poll(() => seen.has(path("a.txt"))).toBe(true);
  });

  test("tells of everything in a folder, in folders that come later too", async () => {
    watch("data");
    writeFileSync(path("data", "inner", "x"), "x");
    await expect.poll(() => seen.has(path("data", "inner", "x"))).toBe(true);
    mkdirSync(path("data", "late"));
    await expect.poll(() => seen.has(path("data", "late"))).toBe(true);
    writeFileSync(path("data", "late", "y"), "y");
    await expect.poll(() => seen.has(path("data", "late", "y"))).toBe(true);
  });

  test("that is not there yet tells when it comes", async () => {
    watch("c.txt");
    writeFileSync(path("c.txt"), "c");
    await expect.poll(() => [...seen]).toEqual([path("c.txt")]);
  });
});
