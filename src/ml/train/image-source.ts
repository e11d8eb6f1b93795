/** Where training and evaluation get images from: a loader of uint8 batches and how they are normalised on the engine. */
import type { Batch, Loader } from "../data/loader.ts";
import type { Engine, Tensor } from "../engine/engine.ts";

export interface ImageSource {
  readonly loader: Loader;
  /** Per channel, in units of 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The batch's images on the engine: float32 [n, h, w, c], normalised. The caller frees it. */
export function uploadImages(engine: Engine, { images, shape }: Batch, source: ImageSource): Tensor {
  const bytes = engine.upload(images, shape);
  const normalized = engine.normalizeImages(bytes, source.mean, source.std);
  engine.dispose(bytes);
  return normalized;
}
