/**
 * How fast data is digested for the first time, against what this machine's sha256 can do: the hash alone over a buffer in
 * the processor's cache and over one in memory, one large file, as many large files as there are cores, and files that are
 * too small for a thread. Files are in the page cache: what a disk gives is the disk's affair.
 *
 *   node bench/digest.mjs [--mebibytes 512] [--rounds 2]
 */
import { createHash, randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values } = parseArgs({
  options: { mebibytes: { type: "string", default: "512" }, rounds: { type: "string", default: "2" } },
});
const bytes = Number(values.mebibytes) * 2 ** 20;
const cores = availableParallelism();
const root = join(fileURLToPath(import.meta.url), "..", "..");
const folder = mkdtempSync(join(tmpdir(), "digest-"));

try {
  await build({
    absWorkingDir: root,
    entryPoints: {
      digest: "src/identity/digest.ts",
      folder: "src/identity/artifact-digest.ts",
      threads: "src/platform/digest-threads.ts",
      files: "src/platform/file-system.ts",
      worker: "src/platform/digest-worker.ts",
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outdir: join(folder, "built"),
    outExtension: { ".js": ".mjs" },
  });
  const load = (name) => import(pathToFileURL(join(folder, "built", `${name}.mjs`)).href);
  const { digestFile } = await load("digest");
  const { digestPath } = await load("folder");
  const { createDigestThreads } = await load("threads");
  const { nodeFileSystem } = await load("files");
  const threads = createDigestThreads({ worker: join(folder, "built", "worker.mjs"), threads: cores });
  const files = { ...nodeFileSystem, ...threads };

  const buffer = randomFillSync(Buffer.allocUnsafe(64 << 20));
  const large = Array.from({ length: cores }, (_, i) => join(folder, `large-${i}`));
  for (const path of large) {
    writeFileSync(path, "");
    for (let done = 0; done < bytes; done += buffer.length) writeFileSync(path, buffer, { flag: "a" });
  }
  const small = join(folder, "small");
  mkdirSync(small);
  for (let i = 0; i < bytes / (4 << 20); i++) writeFileSync(join(small, `${i}`), buffer.subarray(0, 4 << 20));

  const hash = (piece) => {
    const sha = createHash("sha256");
    for (let done = 0; done < bytes; done += piece.length) sha.update(piece);
    sha.digest("hex");
  };
  const measured = {
    "hash alone, in cache": { work: () => hash(buffer.subarray(0, 1 << 18)), total: bytes },
    "hash alone, in memory": { work: () => hash(buffer), total: bytes },
    "a large file": { work: () => digestFile(files, large[0]), total: bytes },
    [`${cores} large files at once`]: {
      work: () => Promise.all(large.map((path) => digestFile(files, path))),
      total: bytes * cores,
    },
    "files of 4 MiB": {
      work: () => digestPath(files, { digest: (path) => digestFile(files, path) }, small),
      total: bytes,
    },
  };
  const times = Object.fromEntries(Object.keys(measured).map((name) => [name, []]));
  for (let round = 0; round <= Number(values.rounds); round++)
    for (const [name, { work }] of Object.entries(measured)) {
      const start = performance.now();
      await work();
      // The first round warms up: threads, page cache.
      if (round > 0) times[name].push(performance.now() - start);
    }
  const rate = (name) => measured[name].total / Math.min(...times[name]) / 1e6;
  process.stdout.write(`${cpus()[0].model}, ${cores} cores, Node ${process.version}\n`);
  for (const name of Object.keys(measured)) {
    const share = rate(name) / rate("hash alone, in cache");
    process.stdout.write(`${name.padEnd(24)} ${rate(name).toFixed(2)} GB/s  ${share.toFixed(2)} of the hash alone\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
