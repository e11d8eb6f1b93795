import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestBytes } from "../../src/identity/digest.ts";
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

  test("that cannot be read is an empty memo", async () => {
    writeFileSync(join(folder, "memo.json"), "{not json");
    expect(await open().digest(file)).toBe(digestBytes("one"));
  });
});
