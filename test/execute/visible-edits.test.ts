/** Whatever is done to visible outputs, as root too, does not reach the store: they are copies, or clones, and never links. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestBytes } from "../../src/identity/digest.ts";
import { errorCode } from "../../src/platform/file-system.ts";
import { PuppetRunner } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(async () => {
  runner = new PuppetRunner();
  expect((await runner.run(stages)).outcomes).toEqual({ a: "ran", b: "ran" });
});
afterEach(() => runner.remove());

const stages = { a: { params: { text: "a" } }, b: { params: { text: "b" }, inputs: { in: "a" } } };

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}
const visible = () => filesBelow(join(runner.folder, "artifacts", "puppets"));
const objects = () => filesBelow(join(runner.folder, "artifacts", ".store", "objects"));

const EDITS: Readonly<Record<string, (path: string) => void>> = {
  "written over": (path) => writeFileSync(path, "edited"),
  "changed in place": (path) => {
    const file = openSync(path, "r+");
    writeSync(file, "X", 0);
    closeSync(file);
  },
  "appended to": (path) => appendFileSync(path, "more"),
  emptied: (path) => truncateSync(path, 0),
  "opened to everybody and written over": (path) => {
    chmodSync(path, 0o777);
    writeFileSync(path, "edited");
  },
  "made read-only, and written over where that does not stop it": (path) => {
    chmodSync(path, 0o444);
    try {
      writeFileSync(path, "edited");
    } catch (error) {
      // It stops everybody but root.
      if (errorCode(error) !== "EACCES") throw error;
    }
  },
  "replaced by another": (path) => {
    writeFileSync(`${path}.new`, "edited");
    renameSync(`${path}.new`, path);
  },
  removed: (path) => rmSync(path),
  "given another time": (path) => utimesSync(path, 1, 1),
};

test.each(Object.entries(EDITS))(
  "every visible file %s: no object changes, and the next run is right",
  async (_, edit) => {
    const before = objects().map((path) => [path, lstatSync(path, { bigint: true })] as const);
    expect(before.length).toBeGreaterThanOrEqual(4);
    for (const path of visible()) edit(path);
    for (const [path, { mtimeNs, ctimeNs, ino, nlink }] of before) {
      expect(digestBytes(readFileSync(path))).toBe(basename(path));
      expect(lstatSync(path, { bigint: true })).toMatchObject({ mtimeNs, ctimeNs, ino, nlink });
    }
    const { outcomes } = await runner.run(stages);
    expect(Object.values(outcomes)).not.toContain("ran");
    expect([runner.visible("a"), runner.visible("b")]).toEqual(["a", "bin(a)"]);
  },
);

test("no visible file is a link of any kind into the store", () => {
  const inodes = new Set(objects().map((path) => lstatSync(path).ino));
  for (const path of visible()) {
    const stat = lstatSync(path);
    expect(stat.isFile()).toBe(true);
    expect(stat.nlink).toBe(1);
    expect(inodes).not.toContain(stat.ino);
  }
});
