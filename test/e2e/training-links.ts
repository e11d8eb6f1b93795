/** The links of a project's trainings as they lie in its store: to look at, to forge and to lose. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createArtifactStore } from "../../src/cache/artifact-store.ts";
import type { CheckpointEntry } from "../../src/cache/checkpoint-store.ts";
import { createObjectStore } from "../../src/cache/object-store.ts";
import { openStoreLayout } from "../../src/cache/store-layout.ts";
import { createStatMemo } from "../../src/identity/stat-memo.ts";
import { nodeFileSystem as files } from "../../src/platform/file-system.ts";
import type { Project } from "./project.ts";

export interface TrainingLink {
  readonly epoch: number;
  /** Its entry in the store. */
  readonly path: string;
  readonly entry: CheckpointEntry;
}

export function openTrainingLinks(project: Project) {
  const root = project.path("artifacts", ".store");
  let count = 0;
  const unique = () => `test-${++count}`;
  const layout = openStoreLayout({ files, root, unique, isAbandoned: () => false });
  const nowNs = () => BigInt(Date.now()) * 1_000_000n;
  const memo = createStatMemo({ files, path: layout.memo("none"), tmp: layout.temporary, nowNs });
  const artifacts = createArtifactStore(files, createObjectStore(files, layout, memo));
  const fileOf = ({ digest }: CheckpointEntry, name: string) =>
    layout.object(artifacts.listing(digest)!.files.find(({ path }) => path === name)!.digest);
  const list = (): readonly TrainingLink[] => {
    const folder = join(root, "checkpoints");
    const paths = readdirSync(folder).flatMap((shard) =>
      readdirSync(join(folder, shard)).map((name) => join(shard, name)),
    );
    return paths
      .map((path) => {
        const entry = JSON.parse(readFileSync(join(folder, path), "utf8")) as CheckpointEntry;
        const state = JSON.parse(readFileSync(fileOf(entry, "state.json"), "utf8")) as { readonly epoch: number };
        return { epoch: state.epoch - 1, path: join(folder, path), entry };
      })
      .sort((a, b) => a.epoch - b.epoch);
  };
  const of = (epoch: number) => list().find((link) => link.epoch === epoch)!;
  return {
    epochs: () => list().map(({ epoch }) => epoch),
    lose: (epoch: number) => rmSync(of(epoch).path),
    /** Sound, and of another model: element `at` of a tensor is one unit in the last place up. Gives its old value. */
    async forge(epoch: number, tensor: string, at: number): Promise<number> {
      const { entry, path } = of(epoch);
      const folder = layout.temporary();
      files.makeFolder(folder);
      for (const file of artifacts.listing(entry.digest)!.files)
        writeFileSync(join(folder, file.path), readFileSync(layout.object(file.digest)));
      const model = join(folder, "model.safetensors");
      const bytes = readFileSync(model);
      const header = Number(bytes.readBigUInt64LE(0));
      const tensors = JSON.parse(bytes.toString("utf8", 8, 8 + header)) as Record<string, { data_offsets: number[] }>;
      const place = 8 + header + tensors[tensor]!.data_offsets[0]! + 4 * at;
      const before = bytes.readFloatLE(place);
      bytes.writeInt32LE(bytes.readInt32LE(place) + 1, place);
      writeFileSync(model, bytes);
      const { digest, sizeBytes } = await artifacts.takeIn(folder, "checkpoint");
      rmSync(folder, { recursive: true });
      writeFileSync(path, JSON.stringify({ ...entry, digest, sizeBytes }));
      return before;
    },
  };
}
