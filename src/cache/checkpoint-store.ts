/** Partial results by key: a folder in the object store and one small file that says which. The last save of a key wins. */
import { dirname } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { ArtifactPaths, ArtifactStore } from "./artifact-store.ts";
import { replaceFile, type StoreLayout } from "./store-layout.ts";

export interface CheckpointStore {
  /** Undefined where there is none, or where what there is has been damaged: then `onDamaged` is told. */
  find(base: string, key: JsonValue, onDamaged?: (message: string) => void): Promise<ArtifactPaths | undefined>;
  /** Takes the files of `folder`, which lies on the store's file system. */
  save(base: string, key: JsonValue, folder: string): Promise<void>;
  drop(base: string, key: JsonValue): void;
}

interface CheckpointEntry {
  readonly format: "tfpipe/checkpoint/1";
  readonly digest: string;
  readonly sizeBytes: number;
}

export function createCheckpointStore(
  files: FileSystem,
  layout: StoreLayout,
  artifacts: ArtifactStore,
): CheckpointStore {
  const place = (base: string, key: JsonValue) =>
    layout.checkpoint(digestBytes(canonicalJson(["tfpipe/checkpoint/1", base, key])));
  return {
    async find(base, key, onDamaged = () => {}) {
      const text = files.readText(place(base, key));
      if (text === undefined) return undefined;
      const entry = parseEntry(text);
      if (entry === undefined) return undefined;
      const damaged = await artifacts.inspect(entry.digest, true);
      if (damaged !== undefined) {
        onDamaged(`a checkpoint cannot be used: ${damaged.message}`);
        return undefined;
      }
      return artifacts.locate({ kind: "checkpoint", digest: entry.digest });
    },
    async save(base, key, folder) {
      const stored = await artifacts.takeIn(folder, "checkpoint");
      const entry: CheckpointEntry = {
        format: "tfpipe/checkpoint/1",
        digest: stored.digest,
        sizeBytes: stored.sizeBytes,
      };
      const path = place(base, key);
      files.makeFolder(dirname(path));
      replaceFile(files, layout, path, `${JSON.stringify(entry)}\n`);
    },
    drop: (base, key) => files.remove(place(base, key)),
  };
}

/** Undefined for what is not a whole entry. */
function parseEntry(text: string): CheckpointEntry | undefined {
  try {
    const entry = JSON.parse(text) as Partial<CheckpointEntry> | null;
    const isEntry = entry?.format === "tfpipe/checkpoint/1" && /^[0-9a-f]{64}$/.test(entry.digest ?? "");
    return isEntry ? (entry as CheckpointEntry) : undefined;
  } catch {
    return undefined;
  }
}
