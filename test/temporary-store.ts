/** A store in a temporary folder, as the program opens it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createArtifactStore } from "../src/cache/artifact-store.ts";
import { createCheckpointStore } from "../src/cache/checkpoint-store.ts";
import { createCodeStore } from "../src/cache/code-store.ts";
import { createObjectStore } from "../src/cache/object-store.ts";
import { openStoreLayout } from "../src/cache/store-layout.ts";
import { createTraceStore } from "../src/cache/trace-store.ts";
import { createStatMemo } from "../src/identity/stat-memo.ts";
import { type FileSystem, nodeFileSystem } from "../src/platform/file-system.ts";

export function openTemporaryStore(files: FileSystem = nodeFileSystem) {
  const root = mkdtempSync(join(tmpdir(), "store-"));
  let count = 0;
  const layout = openStoreLayout({
    files,
    root: join(root, ".store"),
    unique: () => `t${++count}`,
    isAbandoned: () => false,
  });
  const memo = createStatMemo({
    files,
    path: layout.memo("files"),
    tmp: layout.temporary,
    nowNs: () => BigInt(Date.now()) * 1_000_000n,
  });
  const objects = createObjectStore(files, layout, memo);
  const artifacts = createArtifactStore(files, objects);
  return {
    root,
    files,
    layout,
    memo,
    objects,
    artifacts,
    codeStore: createCodeStore(files, layout, objects),
    traces: createTraceStore(files, layout),
    checkpoints: createCheckpointStore(files, layout, artifacts),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
