/** Connects store, identity and execution to one artifacts folder. Part of the composition root. */
import { join } from "node:path";
import { createArtifactStore } from "./cache/artifact-store.ts";
import { createCheckpointStore } from "./cache/checkpoint-store.ts";
import { createCodeStore } from "./cache/code-store.ts";
import { createLedger } from "./cache/ledger.ts";
import { createLocks } from "./cache/locks.ts";
import { createObjectStore } from "./cache/object-store.ts";
import { openStoreLayout } from "./cache/store-layout.ts";
import { createTraceStore } from "./cache/trace-store.ts";
import type { EnginePort } from "./execute/engine-port.ts";
import type { Workspace } from "./execute/workspace.ts";
import { NO_CODE, openCodeLibrary } from "./identity/code-library.ts";
import { createStatMemo } from "./identity/stat-memo.ts";
import type { UserStages } from "./identity/user-stages.ts";
import type { StageCatalogue } from "./language/pipeline.ts";
import type { FileSystem } from "./platform/file-system.ts";
import { createLookRecorder } from "./platform/look-recorder.ts";
import type { Machine } from "./platform/machine.ts";
import { processIdentity } from "./platform/process-tree.ts";
import { waitFor } from "./platform/wait-for.ts";
import { repeatEvery } from "./platform/work-lock.ts";

export interface WorkspaceParts {
  readonly files: FileSystem;
  readonly artifactsFolder: string;
  readonly paranoid: boolean;
  /** False where every stage is a command. */
  readonly needsCode?: boolean;
  readonly codeFolder: string;
  readonly sources: string | undefined;
  readonly catalogue: StageCatalogue;
  readonly userStages?: UserStages;
  readonly engines: EnginePort;
  readonly machine: Machine;
  readonly version: string;
  readonly unique: () => string;
  readonly isAbandoned: (name: string) => boolean;
  readonly nowMs: () => number;
  readonly pid: number;
  /** PATH. Left out: no program is found. */
  readonly searchPath?: string;
  readonly host: string;
}

export async function createWorkspace(parts: WorkspaceParts): Promise<Workspace> {
  const { artifactsFolder, unique } = parts;
  const looks = createLookRecorder(parts.files);
  const { files } = looks;
  const layout = openStoreLayout({
    files,
    root: join(artifactsFolder, ".store"),
    unique,
    isAbandoned: parts.isAbandoned,
  });
  const memo = createStatMemo({
    // Who asks has looked at the file; the memo's own file is nobody's business.
    files: parts.files,
    path: layout.memo("files"),
    tmp: layout.temporary,
    nowNs: () => BigInt(Date.now()) * 1_000_000n,
    paranoid: parts.paranoid,
  });
  const objects = createObjectStore(files, layout, memo);
  const artifacts = createArtifactStore(files, objects);
  return {
    files,
    looks,
    paranoid: parts.paranoid,
    artifactsFolder,
    layout,
    memo,
    artifacts,
    codeStore: createCodeStore(files, layout, objects),
    traces: createTraceStore(files, layout),
    ledger: createLedger(files, layout),
    checkpoints: createCheckpointStore(files, layout, artifacts),
    locks: createLocks({
      files,
      layout,
      self: { pid: parts.pid, identity: processIdentity(parts.pid) ?? "", host: parts.host },
      identify: processIdentity,
      every: repeatEvery,
    }),
    code:
      parts.needsCode === false
        ? NO_CODE
        : await openCodeLibrary({
            files: parts.files,
            folder: parts.codeFolder,
            sources: parts.sources,
            unique,
            ...(parts.userStages === undefined ? {} : { userStages: parts.userStages.code }),
          }),
    catalogue: new Map([...parts.catalogue, ...(parts.userStages?.types ?? [])]),
    engines: parts.engines,
    machine: parts.machine,
    searchPath: parts.searchPath ?? "",
    clock: {
      nowMs: parts.nowMs,
      date: () => new Date().toISOString(),
      wait: waitFor,
    },
    // Only what executes loads it.
    runWorker: async (options) => (await import("./execute/stage-process.ts")).runStageProcess(options),
    version: parts.version,
  };
}
