/**
 * Batches of images, decoded and transformed ahead of the step by worker threads.
 *
 * What a batch holds depends on (dataset, transform, seed, epoch, position) alone: never on the number of threads or on
 * where a run was resumed.
 *
 *     main thread    job 4 ──► worker 0     ring of slots (shared memory):  [ job 1: in use ][ job 2: filled ]
 *                    job 5 ──► worker 1                                     [ job 3: filled ][ job 4: being filled ]
 */
import { createRng } from "../../rng.ts";
import { type BatchSource, createInlineSource } from "./batch-source.ts";
import type { Dataset } from "./dataset.ts";
import { batchRecipe } from "./fill-batch.ts";
import { createWorkerRing } from "./worker-ring.ts";

export interface Batch {
  /** uint8 [n, height, width, channels], row-major. Valid until the next batch is asked for. */
  readonly images: Uint8Array;
  /** [n], class indices. */
  readonly labels: Int32Array;
  /** [n], which images of the dataset these are. */
  readonly indices: Int32Array;
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
}

export interface Loader {
  readonly batchesPerEpoch: number;
  readonly imagesPerEpoch: number;
  /** Batches `firstBatch` (from 0) and on of an epoch (counted from 1). One at a time: finish or break before the next call. */
  epoch(epoch: number, firstBatch?: number): AsyncIterable<Batch>;
  /** Time spent waiting for a batch that was not ready, so far. */
  waitedMs(): number;
  close(): Promise<void>;
}

export interface LoaderOptions {
  readonly dataset: Dataset;
  readonly batchSize: number;
  /** Leave out the last batch of an epoch where it is smaller than the others. */
  readonly dropLast: boolean;
  /** A new order each epoch; otherwise the dataset's own. */
  readonly shuffle: boolean;
  /** Of the order. The transforms draw from their own seed. */
  readonly seed: number;
  /** Enters every draw, so that two passes over one dataset (`train`, `valid`) draw independently. */
  readonly purpose: string;
  /** Worker threads; 0: everything in this thread, when a batch is asked for. */
  readonly threads: number;
  /** Path of the bundled `loader-worker.ts`. Needed where there are threads. */
  readonly workerModule?: string | URL;
}

/** Pixels up to this size are held in memory once, for all threads; larger files are read by position. */
const SHARED_PIXELS_LIMIT_BYTES = 2 * 2 ** 30;

/** Throws where the settings cannot give a batch. Close it, also after an error. */
export function createLoader(options: LoaderOptions): Loader {
  const { dataset, batchSize, dropLast, shuffle, seed, purpose, threads } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new Error(`a batch size is a whole number from 1 on, not ${batchSize}`);
  const batchesPerEpoch = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
  if (batchesPerEpoch === 0)
    throw new Error(
      dataset.length === 0
        ? "the dataset is empty"
        : `${dataset.length} images do not fill one batch of ${batchSize}, and smaller batches are dropped`,
    );
  const [height, width] = dataset.transformedSize;
  const imageBytes = height * width * dataset.channels;
  const source = openBatchSource(options, Math.min(batchSize, dataset.length) * imageBytes);
  let waitedMs = 0;
  let busy = false;

  const indicesOf = (order: Uint32Array | undefined, batch: number): Int32Array => {
    const begin = batch * batchSize;
    const count = Math.min(batchSize, dataset.length - begin);
    return Int32Array.from({ length: count }, (_, i) => (order === undefined ? begin + i : order[begin + i]!));
  };

  async function* iterate(epoch: number, firstBatch: number): AsyncGenerator<Batch> {
    if (busy) throw new Error("the loader is in the middle of another epoch");
    busy = true;
    const order = shuffle ? createRng(seed, "order", purpose, epoch).permutation(dataset.length) : undefined;
    const chosen: Int32Array[] = [];
    let started = firstBatch;
    let given = firstBatch;
    const startNext = () => {
      const slot = started % source.slots;
      const indices = indicesOf(order, started);
      chosen[slot] = indices;
      source.start(slot, epoch, indices);
      started++;
    };
    try {
      while (started < batchesPerEpoch && started - firstBatch < source.slots) startNext();
      while (given < batchesPerEpoch) {
        const slot = given % source.slots;
        const indices = chosen[slot]!;
        const askedAt = source.isReady(slot) ? undefined : performance.now();
        const images = await source.wait(slot);
        if (askedAt !== undefined) waitedMs += performance.now() - askedAt;
        given++;
        yield {
          images: images.subarray(0, indices.length * imageBytes),
          labels: indices.map((index) => dataset.labels[index]!),
          indices,
          shape: [indices.length, height, width, dataset.channels],
        };
        if (started < batchesPerEpoch) startNext();
      }
    } finally {
      // What is still being filled after a break or an error must not run into the next epoch's slots.
      while (given < started) await source.wait(given++ % source.slots).catch(() => {});
      busy = false;
    }
  }

  return {
    batchesPerEpoch,
    imagesPerEpoch: dropLast ? batchesPerEpoch * batchSize : dataset.length,
    epoch: (epoch, firstBatch = 0) => iterate(epoch, firstBatch),
    waitedMs: () => waitedMs,
    close: () => source.close(),
  };

  function openBatchSource({ workerModule }: LoaderOptions, slotBytes: number): BatchSource {
    if (threads === 0) return createInlineSource(batchRecipe(dataset, purpose), slotBytes);
    if (workerModule === undefined) throw new Error("a loader with threads needs the path of its worker module");
    dataset.pixels.share(SHARED_PIXELS_LIMIT_BYTES);
    return createWorkerRing({ recipe: batchRecipe(dataset, purpose), threads, workerModule, slotBytes });
  }
}
