/**
 * What one batch holds, worked out image by image: used by the loader in its own thread and by its workers alike, so
 * that the number of threads cannot matter.
 */
import { createRng } from "../../rng.ts";
import { compileTransforms, type TransformSetting } from "../transforms/transform-list.ts";
import type { Dataset } from "./dataset.ts";
import { openPixelFile, type PixelSpec } from "./pixel-file.ts";

/** Can be sent to another thread. */
export interface BatchRecipe {
  readonly pixels: PixelSpec;
  readonly rows?: Int32Array;
  readonly transforms: readonly TransformSetting[];
  readonly seed: number;
  readonly purpose: string;
}

export interface BatchFiller {
  /** Bytes of one transformed image. */
  readonly imageBytes: number;
  /** Images `indices` of the dataset, transformed with what `epoch` draws, one after the other into `out`. */
  fill(epoch: number, indices: Int32Array, out: Uint8Array): void;
  close(): void;
}

export function batchRecipe(dataset: Dataset, purpose: string): BatchRecipe {
  return {
    pixels: dataset.pixels.spec,
    ...(dataset.rows === undefined ? {} : { rows: dataset.rows }),
    transforms: dataset.transform?.transforms ?? [],
    seed: dataset.transform?.seed ?? 0,
    purpose,
  };
}

/** Errors of `fill` name the image. */
export function createBatchFiller(recipe: BatchRecipe): BatchFiller {
  const { pixels: spec, rows, seed, purpose } = recipe;
  const { height, width, channels } = spec;
  const pixels = openPixelFile(spec);
  const transform = compileTransforms(recipe.transforms, [height, width]);
  const imageBytes = transform.size[0] * transform.size[1] * channels;
  return {
    imageBytes,
    fill(epoch, indices, out) {
      for (let i = 0; i < indices.length; i++) {
        const index = indices[i]!;
        const row = rows === undefined ? index : rows[index]!;
        try {
          const image = { data: pixels.read(row), height, width, channels };
          const transformed = transform.apply(image, createRng(seed, "transform", purpose, epoch, index));
          out.set(transformed.data, i * imageBytes);
        } catch (error) {
          throw new Error(`image ${index} (row ${row}, in ${pixels.pathOf(row)}): ${(error as Error).message}`);
        }
      }
    },
    close: () => pixels.close(),
  };
}
