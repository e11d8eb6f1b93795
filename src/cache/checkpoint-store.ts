/**
 * Partial results by key. The last save of a key wins.
 *
 *   checkpoints/<aa>/<key>.json    a folder in the object store (whose equal files are stored once), and whether it is kept
 *   partial/<key>-<n>-<digest>/    one that will pass soon: the files themselves, so that their bytes go when it does
 *
 * Entries name what they belong to by its base, so that a stage's checkpoints can be found without their keys.
 */
import { basename, dirname, join } from "node:path";
import { digestPath, UnfitForArtifact } from "../identity/artifact-digest.ts";
import { digestBytes, digestFile } from "../identity/digest.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import type { ArtifactPaths, ArtifactStore } from "./artifact-store.ts";
import { replaceFile, type StoreLayout } from "./store-layout.ts";

export interface CheckpointStore {
  /** Verified. Undefined where there is none, or where what there is has been damaged: then `onDamaged` is told. */
  find(base: string, key: JsonValue, onDamaged?: (message: string) => void): Promise<ArtifactPaths | undefined>;
  /** The same without reading it: what is there may turn out to be damaged. */
  peek(base: string, key: JsonValue): Promise<ArtifactPaths | undefined>;
  /** Takes the files of `folder`, which lies on the store's file system. */
  save(base: string, key: JsonValue, folder: string, passing?: boolean): Promise<void>;
  /** Does nothing where there is none. */
  mark(base: string, key: JsonValue, as: "kept" | "expendable"): void;
  drop(base: string, key: JsonValue): void;
  /** All of a base that are in the object store. */
  list(base: string): readonly StoredCheckpoint[];
}

export interface StoredCheckpoint {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly kept: boolean;
}

export interface CheckpointEntry extends StoredCheckpoint {
  readonly format: "tfpipe/checkpoint/2";
  readonly base: string;
}

export const PARTIAL_FOLDER = "partial";

export function createCheckpointStore(
  files: FileSystem,
  layout: StoreLayout,
  artifacts: ArtifactStore,
): CheckpointStore {
  const keyOf = (base: string, key: JsonValue) => digestBytes(canonicalJson(["tfpipe/checkpoint/2", base, key]));
  const partial = join(layout.root, PARTIAL_FOLDER);
  /** The newest first. */
  const partialsOf = (name: string): readonly PartialCheckpoint[] =>
    files
      .list(partial)
      .flatMap((folder) => {
        const [key, number, digest] = folder.split("-");
        if (key !== name || digest === undefined) return [];
        return [{ folder: join(partial, folder), number: Number(number), digest }];
      })
      .sort((a, b) => b.number - a.number);
  const readEntry = (name: string) => parseCheckpointEntry(files.readText(layout.checkpoint(name)));
  const writeEntry = (name: string, entry: CheckpointEntry): void => {
    const path = layout.checkpoint(name);
    files.makeFolder(dirname(path));
    replaceFile(files, layout, path, `${JSON.stringify(entry)}\n`);
  };
  const removePartials = (name: string, except?: string): void => {
    for (const { folder } of partialsOf(name)) if (folder !== except) files.remove(folder);
  };

  const locate = (digest: string): ArtifactPaths | undefined =>
    artifacts.listing(digest) === undefined ? undefined : artifacts.locate({ kind: "checkpoint", digest });
  const readPartial = async ({ folder, digest }: PartialCheckpoint, digestOf: (path: string) => Promise<string>) => {
    const read = await digestPath(files, { digest: digestOf }, folder);
    const listed = read.listing.files.map((file) => ({ ...file, at: join(folder, file.path) }));
    return { isSound: read.digest === digest, paths: { kind: "checkpoint", digest, files: listed, references: {} } };
  };

  return {
    async find(base, key, onDamaged = () => {}) {
      const name = keyOf(base, key);
      const entry = readEntry(name);
      if (entry !== undefined) {
        const damaged = await artifacts.inspect(entry.digest, true);
        if (damaged === undefined) return locate(entry.digest);
        onDamaged(`a checkpoint cannot be used: ${damaged.message}`);
      }
      for (const found of partialsOf(name)) {
        try {
          const { isSound, paths } = await readPartial(found, (path) => digestFile(files, path));
          if (isSound) return paths;
          onDamaged(`a checkpoint cannot be used: ${basename(found.folder)} in the store is damaged`);
        } catch (error) {
          if (!(error instanceof UnfitForArtifact) && !isRefusal(error)) throw error;
          onDamaged(`a checkpoint cannot be used: ${(error as Error).message}`);
        }
      }
      return undefined;
    },
    async peek(base, key) {
      const name = keyOf(base, key);
      const entry = readEntry(name);
      const [found] = entry === undefined ? partialsOf(name) : [];
      if (found !== undefined) return (await readPartial(found, async () => "")).paths;
      return entry && locate(entry.digest);
    },
    async save(base, key, folder, passing = false) {
      const name = keyOf(base, key);
      if (passing) {
        const seal = (path: string) => {
          files.setMode(path, "read-only");
          files.flush(path);
          return digestFile(files, path);
        };
        const { digest } = await digestPath(files, { digest: seal }, folder);
        files.makeFolder(partial);
        const to = join(partial, `${name}-${(partialsOf(name)[0]?.number ?? 0) + 1}-${digest}`);
        files.rename(folder, to);
        removePartials(name, to);
        return;
      }
      const { digest, sizeBytes } = await artifacts.takeIn(folder, "checkpoint");
      writeEntry(name, { format: "tfpipe/checkpoint/2", base, digest, sizeBytes, kept: true });
      removePartials(name);
    },
    mark(base, key, as) {
      const name = keyOf(base, key);
      const entry = readEntry(name);
      const kept = as === "kept";
      if (entry !== undefined && entry.kept !== kept) writeEntry(name, { ...entry, kept });
    },
    drop(base, key) {
      const name = keyOf(base, key);
      files.remove(layout.checkpoint(name));
      removePartials(name);
    },
    list(base) {
      const root = join(layout.root, "checkpoints");
      return files.list(root).flatMap((shard) =>
        files.list(join(root, shard)).flatMap((name) => {
          const entry = parseCheckpointEntry(files.readText(join(root, shard, name)));
          return entry?.base === base ? [entry] : [];
        }),
      );
    },
  };
}

interface PartialCheckpoint {
  readonly folder: string;
  readonly number: number;
  readonly digest: string;
}

/** Undefined for what is not a whole entry. */
export function parseCheckpointEntry(text: string | undefined): CheckpointEntry | undefined {
  try {
    const entry = JSON.parse(text ?? "null") as CheckpointEntry | null;
    const isEntry =
      entry?.format === "tfpipe/checkpoint/2" &&
      /^[0-9a-f]{64}$/.test(entry.digest) &&
      typeof entry.base === "string" &&
      Number.isSafeInteger(entry.sizeBytes) &&
      typeof entry.kept === "boolean";
    return isEntry ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** For an execution that begins at the beginning: it finds those of `own`, to which it adds what it saves, and no others. */
export function ownCheckpoints(checkpoints: CheckpointStore, own: Set<string>): CheckpointStore {
  const nameOf = (base: string, key: JsonValue) => canonicalJson([base, key]);
  return {
    ...checkpoints,
    find: async (base, key, onDamaged) =>
      own.has(nameOf(base, key)) ? checkpoints.find(base, key, onDamaged) : undefined,
    peek: async (base, key) => (own.has(nameOf(base, key)) ? checkpoints.peek(base, key) : undefined),
    async save(base, key, folder, passing) {
      await checkpoints.save(base, key, folder, passing);
      own.add(nameOf(base, key));
    },
  };
}
