/** Where training and evaluation get images from: a loader of uint8 batches and how they are normalised on the engine. */
import type { Dataset } from "../data/dataset.ts";
import { type Batch, createLoader, type Loader, type LoaderOptions } from "../data/loader.ts";
import type { Engine, Tensor } from "../engine/engine.ts";

export interface ImageSource {
  readonly loader: Loader;
  /** Per channel, in units of 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Loads `options.dataset` and normalises it as its transform says; without one, to 0..1. The loader is the caller's to close. */
export function createImageSource(options: LoaderOptions): ImageSource {
  return { loader: createLoader(options), ...normalization(options.dataset) };
}

function normalization({ transform, channels }: Dataset): Pick<ImageSource, "mean" | "std"> {
  if (transform !== undefined) return transform;
  return { mean: new Array<number>(channels).fill(0), std: new Array<number>(channels).fill(1) };
}

/** The batch's images on the engine: float32 [n, h, w, c], normalised. The caller frees it. */
export function uploadImages(engine: Engine, { images, shape }: Batch, source: ImageSource): Tensor {
  const bytes = engine.upload(images, shape);
  const normalized = engine.normalizeImages(bytes, source.mean, source.std);
  engine.dispose(bytes);
  return normalized;
}
