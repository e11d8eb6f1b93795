/** Small datasets on disk, as stages leave them, for tests. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DatasetSource, DatasetTransform } from "../../../src/ml/data/dataset.ts";
import { openDataset } from "../../../src/ml/data/dataset.ts";
import { createImagesWriter, writeTransformed, writeView } from "../../../src/ml/data/dataset-writer.ts";
import { transformedSize } from "../../../src/ml/transforms/transform-list.ts";

/** A folder as an artifact. */
export function folderSource(folder: string, references: Readonly<Record<string, DatasetSource>> = {}): DatasetSource {
  return {
    path: (file) => (file === undefined ? folder : join(folder, file)),
    references,
    files: readdirSync(folder)
      .sort()
      .map((path) => ({ path })),
  };
}

/** The value of a pixel is a mix of its image, its place and its channel, so that no two images are alike. */
export function pixelValue(image: number, at: number): number {
  return (Math.imul(image + 1, 2654435761) ^ Math.imul(at + 7, 40503)) & 0xff;
}

export interface TinyLayout {
  readonly count: number;
  readonly height?: number;
  readonly width?: number;
  readonly channels?: number;
  readonly shardBytes?: number;
}

export function writeTinyImages(
  folder: string,
  { count, height = 4, width = 5, channels = 3, ...sharding }: TinyLayout,
): DatasetSource {
  mkdirSync(folder, { recursive: true });
  const classNames = ["cat", "dog", "ship"];
  const writer = createImagesWriter(folder, { count, height, width, channels, classNames, ...sharding });
  const size = height * width * channels;
  for (let image = 0; image < count; image++)
    writer.write(
      image,
      Uint8Array.from({ length: size }, (_, at) => pixelValue(image, at)),
      Int32Array.of(image % 3),
    );
  writer.finish();
  writer.close();
  return folderSource(folder);
}

export function writeTinyView(folder: string, base: DatasetSource, indices: readonly number[]): DatasetSource {
  mkdirSync(folder, { recursive: true });
  writeView(folder, openDataset(base), Int32Array.from(indices));
  return folderSource(folder, { base });
}

export function writeTinyTransform(folder: string, base: DatasetSource, transform: DatasetTransform): DatasetSource {
  mkdirSync(folder, { recursive: true });
  const dataset = openDataset(base);
  writeTransformed(folder, dataset, transform, transformedSize(transform.transforms, [dataset.height, dataset.width]));
  return folderSource(folder, { base });
}
