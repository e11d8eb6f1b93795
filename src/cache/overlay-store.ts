/**
 * A store over one that cannot be written (read-only, full, out of reach). What is read comes from both; what is made goes
 * to a folder beside the store, where stages can go on from it and visible outputs can be put in place, and is gone when
 * the run ends: it was never promised to anybody.
 */
import { basename } from "node:path";
import type { StatMemo } from "../identity/stat-memo.ts";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import { type ArtifactStore, createArtifactStore } from "./artifact-store.ts";
import { type CheckpointStore, createCheckpointStore } from "./checkpoint-store.ts";
import { type CodeStore, createCodeStore } from "./code-store.ts";
import { createObjectStore } from "./object-store.ts";
import { openStoreLayout, type StoreLayout } from "./store-layout.ts";
import { createTraceStore, type TraceStore } from "./trace-store.ts";

export interface StoreParts {
  readonly layout: StoreLayout;
  readonly artifacts: ArtifactStore;
  readonly codeStore: CodeStore;
  readonly traces: TraceStore;
  readonly checkpoints: CheckpointStore;
}

export interface OverlayStore extends StoreParts {
  /** What was made is lost. */
  remove(): void;
}

export interface OverlaidStore extends StoreParts {
  readonly files: FileSystem;
  readonly memo: StatMemo;
}

/** Throws what the file system says where the folder beside the store cannot be written either. */
export function createOverlayStore({ files, memo, ...under }: OverlaidStore): OverlayStore {
  const unique = () => basename(under.layout.temporary());
  const root = `${under.layout.root}-${unique()}`;
  // What `openStoreLayout` would bear in silence.
  files.makeFolder(root);
  const over = openStoreLayout({ files, root, unique, isAbandoned: () => false });
  const layout: StoreLayout = {
    ...under.layout,
    object(digest) {
      const made = over.object(digest);
      return files.stat(made) === undefined ? under.layout.object(digest) : made;
    },
    newObject: over.object,
    temporary: over.temporary,
    quarantine: over.quarantine,
    scratch: over.scratch,
  };
  const objects = createObjectStore(files, layout, memo);
  const artifacts = createArtifactStore(files, objects);
  const traces = createTraceStore(files, over);
  const checkpoints = createCheckpointStore(files, over, artifacts);
  return {
    layout,
    artifacts,
    codeStore: createCodeStore(files, layout, objects),
    traces: {
      find: (fingerprint) => [...traces.find(fingerprint), ...under.traces.find(fingerprint)],
      add: traces.add,
    },
    checkpoints: {
      find: async (base, key, onDamaged) =>
        (await checkpoints.find(base, key, onDamaged)) ?? under.checkpoints.find(base, key, onDamaged),
      peek: async (base, key) => (await checkpoints.peek(base, key)) ?? under.checkpoints.peek(base, key),
      list: (base) => [...under.checkpoints.list(base), ...checkpoints.list(base)],
      save: checkpoints.save,
      mark: checkpoints.mark,
      drop: checkpoints.drop,
    },
    remove() {
      try {
        files.remove(root);
      } catch (error) {
        // The next command that opens the store removes it.
        if (!isRefusal(error)) throw error;
      }
    },
  };
}
