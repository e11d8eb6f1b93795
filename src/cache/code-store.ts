/**
 * The code that made results, among the objects: every file once by what it is, however many traces name it. It is kept so
 * that a result can be made again by the code that made it; nothing else needs it, so no execution fails for want of it.
 */
import { dirname, join } from "node:path";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import type { ResolvedCode } from "../identity/code-library.ts";
import { digestBytes } from "../identity/digest.ts";
import { describeStoredCode, type StoredCode, type StoredFile } from "../identity/stored-code.ts";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import { DamagedObject, type ObjectStore } from "./object-store.ts";
import type { StoreLayout } from "./store-layout.ts";

export interface CodeStore {
  /** Of what is there already a look is enough. Undefined where a file of it is gone, or cannot be written. */
  keep(code: ResolvedCode): StoredCode | undefined;
  /** Reads every file. Names the first that is not what it was. */
  inspect(code: StoredCode): Promise<DamagedObject | undefined>;
  /** Into a new folder. Throws `DamagedObject`. */
  layOut(code: StoredCode, folder: string): Promise<void>;
}

export function createCodeStore(files: FileSystem, layout: StoreLayout, objects: ObjectStore): CodeStore {
  const keepFile = (path: string, digest: string): StoredFile | undefined => {
    const there = files.stat(layout.object(digest));
    if (there !== undefined) return { digest, sizeBytes: there.sizeBytes };
    const bytes = files.read(path);
    if (digestBytes(bytes) !== digest) return undefined;
    objects.put(bytes);
    return { digest, sizeBytes: bytes.length };
  };
  return {
    keep(code) {
      const kept: Record<string, StoredFile> = {};
      try {
        for (const { path, digest, name } of code.bundles) {
          const file = keepFile(path, digest);
          if (file === undefined) return undefined;
          kept[name] = file;
        }
        return describeStoredCode(code, kept);
      } catch (error) {
        if (isRefusal(error) || error instanceof UnfitForArtifact) return undefined;
        throw error;
      }
    },
    async inspect(code) {
      for (const { digest, sizeBytes } of Object.values(code.files)) {
        const state = await objects.inspect(digest, sizeBytes, true);
        if (state !== "sound") return new DamagedObject(digest, state);
      }
      return undefined;
    },
    async layOut(code, folder) {
      for (const [name, { digest, sizeBytes }] of Object.entries(code.files)) {
        const to = join(folder, name);
        files.makeFolder(dirname(to));
        await objects.copyOut(digest, sizeBytes, to, false);
      }
    },
  };
}
