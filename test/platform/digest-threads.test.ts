import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestFile } from "../../src/identity/digest.ts";
import { createDigestThreads } from "../../src/platform/digest-threads.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";
import { type BundledWorker, bundleWorker, temporaryFolder } from "../bundle-worker.ts";

let worker: BundledWorker;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  worker = await bundleWorker("src/platform/digest-worker.ts");
  folder = temporaryFolder();
});
afterAll(() => {
  worker.remove();
  folder.remove();
});

const threadsOf = (path: string, leastBytes = 1) => createDigestThreads({ worker: path, threads: 2, leastBytes });

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder.path, name);
  writeFileSync(path, bytes);
  return path;
}

test("files are digested as they would be in this thread, more of them than there are threads", async () => {
  // Around the size of the pieces that are read.
  const contents = [1, 2 ** 18 - 1, 2 ** 18, 2 ** 18 + 1, 2 ** 20].map((size) => randomBytes(size));
  const files = { ...nodeFileSystem, ...threadsOf(worker.path) };
  const digests = await Promise.all(contents.map((bytes, i) => digestFile(files, write(`file ${i}`, bytes))));
  expect(digests).toEqual(contents.map((bytes) => createHash("sha256").update(bytes).digest("hex")));
});

test("no more threads work than were asked for, and one that is done works on", async () => {
  const names = write(
    "names.mjs",
    Buffer.from(`import { parentPort, threadId } from "node:worker_threads";
parentPort.on("message", () => parentPort.postMessage({ digest: String(threadId) }));`),
  );
  const path = write("any", Buffer.from("any"));
  const { digestBeside } = threadsOf(names);
  const together = await Promise.all(Array.from({ length: 6 }, () => digestBeside(path)));
  expect(new Set(together).size).toBeLessThanOrEqual(2);
  expect(together).toContain(await digestBeside(path));
});

test("a small file is not worth a thread", async () => {
  const path = write("small", Buffer.from("small"));
  expect(threadsOf("no such worker", 6).digestBeside(path)).toBeUndefined();
  expect(threadsOf("no such worker", 6).digestBeside(join(folder.path, "none"))).toBeUndefined();
});

test("what the system says of a file comes back as it would from this thread", async () => {
  await expect(threadsOf(worker.path).digestBeside(folder.path)).rejects.toMatchObject({
    code: "EISDIR",
    path: folder.path,
  });
});

test("a thread that ends in the middle is a failure of its file only", async () => {
  const dying = write(
    "dying.mjs",
    Buffer.from(`import { parentPort } from "node:worker_threads";
parentPort.on("message", (path) => {
  if (path.endsWith("bad")) process.exit(3);
  parentPort.postMessage({ digest: "fine" });
});`),
  );
  const { digestBeside } = createDigestThreads({ worker: dying, threads: 1, leastBytes: 1 });
  const bad = digestBeside(write("bad", Buffer.from("x")));
  const good = digestBeside(write("good", Buffer.from("x")));
  await expect(bad).rejects.toThrow(/ended \(3\)/);
  expect(await good).toBe("fine");
});
