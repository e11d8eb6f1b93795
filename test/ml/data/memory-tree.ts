/** Files in memory as a tree, and all that a split hands on. */
import type { FileTree } from "../../../src/ml/data/file-tree.ts";
import type { ImageSplit } from "../../../src/ml/data/image-split.ts";

/** Streams come in pieces of `pieceBytes`, so that readers meet every cut. */
export function memoryTree(files: Readonly<Record<string, Uint8Array>>, pieceBytes = 65_536): FileTree {
  return {
    name: "data",
    files: Object.entries(files).map(([path, bytes]) => ({ path, sizeBytes: bytes.length })),
    async read(wanted, use) {
      for (const [path, bytes] of Object.entries(files)) if (wanted.has(path)) await use(path, Buffer.from(bytes));
    },
    async stream(path, use) {
      const bytes = Buffer.from(files[path]!);
      async function* pieces() {
        for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
      }
      return use(pieces());
    },
  };
}

export async function collectSplit(split: ImageSplit) {
  const imageBytes = split.height * split.width * split.channels;
  const images = new Uint8Array(split.count * imageBytes);
  const labels = new Int32Array(split.count).fill(-1);
  await split.read((first, someImages, someLabels) => {
    images.set(someImages, first * imageBytes);
    labels.set(someLabels, first);
  });
  return { images, labels: [...labels] };
}
