/** The disk in memory is believed only because it answers as the real one does: the same operations, the same answers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { errorCode, type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { MemoryDisk } from "./memory-disk.ts";

const path = fc.constantFrom("a", "b", "a/x", "a/y", "b/x", "b/x/z", "a/x/deep");
const bytes = fc.constantFrom("", "one", "three");
const mode = fc.constantFrom("sealed", "read-only", "read-only-executable", "writable", "writable-executable");

const operation = fc.oneof(
  fc.record({ does: fc.constant("makeFolder" as const), path }),
  fc.record({ does: fc.constant("writeNew" as const), path, bytes }),
  fc.record({ does: fc.constant("append" as const), path, bytes }),
  fc.record({ does: fc.constant("flush" as const), path }),
  fc.record({ does: fc.constant("copy" as const), path, to: path }),
  fc.record({ does: fc.constant("rename" as const), path, to: path }),
  fc.record({ does: fc.constant("remove" as const), path }),
  fc.record({ does: fc.constant("setMode" as const), path, mode }),
  fc.record({ does: fc.constant("stat" as const), path }),
  fc.record({ does: fc.constant("list" as const), path }),
  fc.record({ does: fc.constant("readText" as const), path }),
  fc.record({ does: fc.constant("stream" as const), path }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function answer(files: FileSystem, root: string, given: Operation): Promise<unknown> {
  const at = join(root, given.path);
  try {
    switch (given.does) {
      case "writeNew":
      case "append":
        return files[given.does](at, given.bytes);
      case "copy":
        // A folder is never copied: of several reasons to refuse that, systems name different ones.
        return files.stat(at)?.kind === "folder" ? undefined : files.copy(at, join(root, given.to));
      case "rename":
        return files.rename(at, join(root, given.to));
      case "setMode":
        return files.setMode(at, given.mode as Parameters<FileSystem["setMode"]>[1]);
      case "stat": {
        const stat = files.stat(at);
        return stat?.kind === "file" ? [stat.kind, stat.sizeBytes, stat.executable, stat.hardLinks] : stat?.kind;
      }
      case "stream": {
        const pieces: Uint8Array[] = [];
        await files.stream(at, (piece) => pieces.push(Uint8Array.from(piece)));
        return Buffer.concat(pieces).toString();
      }
      default:
        return files[given.does](at);
    }
  } catch (error) {
    return errorCode(error) ?? error;
  }
}

/** What the times of a file say of an operation: which of them have moved. */
function movements(files: FileSystem, path: string, act: () => void): string {
  const before = files.stat(path);
  act();
  const after = files.stat(path);
  const moved = (part: "mtimeNs" | "ctimeNs" | "inode") => before?.[part] !== after?.[part];
  return [moved("mtimeNs") && "mtime", moved("ctimeNs") && "ctime", moved("inode") && "inode"]
    .filter(Boolean)
    .join(" ");
}

test("it answers, refuses and remembers as the real disk does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
      const folder = mkdtempSync(join(tmpdir(), "disk-"));
      const disk = new MemoryDisk();
      disk.makeFolder("/root");
      try {
        for (const given of operations)
          expect(await answer(disk, "/root", given), JSON.stringify(given)).toEqual(
            await answer(nodeFileSystem, folder, given),
          );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 100, seed: 5 },
  );
});

test("what a copy, a rename, a mode and a touch do to a file's times is what they do on the real disk", async () => {
  const real = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    const memory = new MemoryDisk();
    memory.makeFolder("/root");
    const observe = async (files: FileSystem, root: string, pause: () => Promise<void>) => {
      const seen: Record<string, string> = {};
      const at = (name: string) => join(root, name);
      files.writeNew(at("file"), "bytes");
      files.makeFolder(at("folder"));
      files.writeNew(at("folder/inner"), "bytes");
      await pause();
      seen.copied = movements(files, at("file"), () => files.copy(at("file"), at("copy")));
      seen.sealed = movements(files, at("folder/inner"), () => files.setMode(at("folder/inner"), "sealed"));
      await pause();
      seen.moded = movements(files, at("file"), () => files.setMode(at("file"), "read-only"));
      await pause();
      seen.placed = movements(files, at("copy"), () => files.setMode(at("copy"), "placed"));
      await pause();
      files.setMode(at("file"), "writable");
      await pause();
      seen.touched = movements(files, at("file"), () => files.touch(at("file")));
      seen.flushed = movements(files, at("file"), () => files.flush(at("file")));
      await pause();
      const before = files.stat(at("file"));
      files.rename(at("file"), at("renamed"));
      const after = files.stat(at("renamed"));
      seen.renamed = String([before?.mtimeNs === after?.mtimeNs, before?.inode === after?.inode]);
      const inside = files.stat(at("folder/inner"));
      await pause();
      files.rename(at("folder"), at("moved"));
      const still = files.stat(at("moved/inner"));
      seen.insideMovedFolder = String([inside?.ctimeNs === still?.ctimeNs, inside?.inode === still?.inode]);
      return seen;
    };
    const inMemory = await observe(memory, "/root", async () => memory.advance(20));
    const onDisk = await observe(nodeFileSystem, real, () => new Promise((resolve) => setTimeout(resolve, 20)));
    expect(inMemory).toEqual(onDisk);
  } finally {
    rmSync(real, { recursive: true, force: true });
  }
});

test("a loss of power takes what was not flushed", () => {
  const disk = new MemoryDisk();
  disk.writeNew("/kept", "flushed");
  disk.write("/lost", "not flushed");
  disk.write("/half", "12345678");
  disk.flush("/half");
  disk.append("/half", "rest");
  disk.losePower(() => 0);
  expect([disk.readText("/kept"), disk.readText("/lost"), disk.readText("/half")]).toEqual(["flushed", "", "12345678"]);
});
