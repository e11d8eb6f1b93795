import * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isRefusal, nodeFileSystem, SEALED_MTIME_NS } from "../../src/platform/file-system.ts";
import { temporaryFolder } from "../bundle-worker.ts";

vi.mock("node:fs", { spy: true });

let folder: ReturnType<typeof temporaryFolder>;
const at = (name: string) => join(folder.path, name);
beforeEach(() => {
  folder = temporaryFolder();
  fs.writeFileSync(at("file"), "text");
});
afterEach(() => folder.remove());

test("a copy is asked for as a clone, and never written over anything", () => {
  nodeFileSystem.copy(at("file"), at("copy"));
  expect(fs.readFileSync(at("copy"), "utf8")).toBe("text");
  const [, , mode] = vi.mocked(fs.copyFileSync).mock.lastCall!;
  expect(mode! & fs.constants.COPYFILE_FICLONE).not.toBe(0);
  expect(() => nodeFileSystem.copy(at("file"), at("copy"))).toThrow(/EEXIST/);
});

test("a sealed file is read-only, with a time that the next write changes, however soon it comes", () => {
  const file = fs.openSync(at("file"), "r+");
  nodeFileSystem.setMode(at("file"), "sealed");
  expect(nodeFileSystem.stat(at("file"))).toMatchObject({ mtimeNs: SEALED_MTIME_NS });
  expect(fs.statSync(at("file")).mode & 0o222).toBe(0);
  fs.writeSync(file, "T", 0);
  fs.closeSync(file);
  expect(nodeFileSystem.stat(at("file"))?.mtimeNs).not.toBe(SEALED_MTIME_NS);
});

test("a placed file can be edited, and has a time that the next write changes, however soon it comes", () => {
  nodeFileSystem.setMode(at("file"), "placed");
  const { mtimeNs } = nodeFileSystem.stat(at("file"))!;
  expect(fs.statSync(at("file")).mode & 0o200).not.toBe(0);
  fs.writeFileSync(at("file"), "TEXT");
  expect(nodeFileSystem.stat(at("file"))!.mtimeNs - mtimeNs).toBeGreaterThan(2_000_000_000n);
});

test("below a file there is nothing", () => {
  expect(nodeFileSystem.stat(at("file/below"))).toBeUndefined();
  expect(nodeFileSystem.list(at("file"))).toEqual([]);
  expect(nodeFileSystem.readText(at("file/below"))).toBeUndefined();
});

test("what the system refuses is told from what Node finds wrong in a call", () => {
  const thrown = (call: () => unknown): unknown => {
    try {
      return call();
    } catch (error) {
      return error;
    }
  };
  expect(isRefusal(thrown(() => nodeFileSystem.read(at("none"))))).toBe(true);
  expect(isRefusal(thrown(() => nodeFileSystem.read(null as never)))).toBe(false);
  expect(isRefusal(new Error("EROFS"))).toBe(false);
});
