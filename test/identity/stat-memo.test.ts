import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestBytes } from "../../src/identity/digest.ts";
import { sealText } from "../../src/identity/sealed-text.ts";
import { createStatMemo } from "../../src/identity/stat-memo.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";

let folder: string;
let file: string;
let reads: number;
let laterNs: bigint;
const files = {
  ...nodeFileSystem,
  stream: (path: string, onPiece: (piece: Uint8Array) => void) => {
    reads++;
    return nodeFileSystem.stream(path, onPiece);
  },
};
const open = (paranoid = false) =>
  createStatMemo({
    files,
    path: join(folder, "memo.json"),
    tmp: () => join(folder, "memo.tmp"),
    nowNs: () => BigInt(Date.now()) * 1_000_000n + laterNs,
    paranoid,
  });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "memo-"));
  file = join(folder, "data");
  writeFileSync(file, "one");
  reads = 0;
  laterNs = 10_000_000_000n;
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the stat memo", () => {
  test("spares a second read of an unchanged file, also in the next process", async () => {
    const memo = open();
    await memo.digest(file);
    await memo.digest(file);
    memo.save();
    expect(await open().digest(file)).toBe(digestBytes("one"));
    expect(reads).toBe(1);
  });

  test("is not written for a few small files beside many, which are faster digested again; for a large one it is", async () => {
    const many = Array.from({ length: 40 }, (_, at) => join(folder, `many-${at}`));
    for (const path of many) writeFileSync(path, path);
    const first = open();
    for (const path of many) await first.digest(path);
    first.save();
    const before = readFileSync(join(folder, "memo.json"), "utf8");
    const second = open();
    await second.digest(file);
    second.save();
    expect(readFileSync(join(folder, "memo.json"), "utf8")).toBe(before);

    writeFileSync(file, new Uint8Array(2_000_000));
    const third = open();
    await third.digest(file);
    third.save();
    reads = 0;
    await open().digest(file);
    expect(reads).toBe(0);
  });

  test("forgets files that are gone when it is told to", async () => {
    const other = join(folder, "other");
    writeFileSync(other, "two");
    const memo = open();
    await memo.digest(file);
    await memo.digest(other);
    memo.save();
    rmSync(other);
    open().forgetLost();
    const kept = readFileSync(join(folder, "memo.json"), "utf8");
    expect(kept).toContain(JSON.stringify(file));
    expect(kept).not.toContain(JSON.stringify(other));
  });

  test("does not believe an entry made in the same moment as the file was changed", async () => {
    laterNs = 0n;
    const memo = open();
    await memo.digest(file);
    await memo.digest(file);
    expect(reads).toBe(2);
  });

  test("sees an edit of equal size whose modification time was set back", async () => {
    const memo = open();
    await memo.digest(file);
    const { mtimeNs } = nodeFileSystem.stat(file)!;
    writeFileSync(file, "two");
    utimesSync(file, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9);
    expect(await memo.digest(file)).toBe(digestBytes("two"));
  });

  test("believes nothing when paranoid", async () => {
    const memo = open(true);
    await memo.digest(file);
    await memo.digest(file);
    expect(reads).toBe(2);
  });

  test("that cannot be read, was cut short, or is not what was written, is an empty memo", async () => {
    const memo = open();
    await memo.digest(file);
    memo.save();
    const text = readFileSync(join(folder, "memo.json"), "utf8");
    const digest = digestBytes("one");
    for (const wrong of [
      "{not json",
      "",
      text.slice(0, -5),
      text.replace(digest, digestBytes("two")),
      sealText("null").text,
    ]) {
      writeFileSync(join(folder, "memo.json"), wrong);
      reads = 0;
      expect(await open().digest(file)).toBe(digest);
      expect(reads).toBe(1);
    }
  });

  test("forgets files that are gone, once they are many", async () => {
    const names = (count: number) => Array.from({ length: count }, (_, at) => join(folder, `file${at}`));
    const memo = open();
    const stat = nodeFileSystem.stat(file)!;
    for (const name of [file, ...names(1500)]) memo.note(name, stat, digestBytes("one"));
    memo.save();
    expect(readFileSync(join(folder, "memo.json"), "utf8")).not.toContain("file1499");
    expect(open().recall(file, stat)).toBe(digestBytes("one"));
  });

  test("is not read before it is asked", () => {
    const reading: string[] = [];
    const readText = (path: string) => {
      reading.push(path);
      return nodeFileSystem.readText(path);
    };
    const path = join(folder, "memo.json");
    const memo = createStatMemo({ files: { ...files, readText }, path, tmp: () => "", nowNs: () => 0n });
    expect(reading).toEqual([]);
    memo.recall(file, nodeFileSystem.stat(file)!);
    expect(reading).toEqual([path]);
  });
});
