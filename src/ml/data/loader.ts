/**
 * Batches of images, decoded and transformed ahead of the step by worker threads.
 *
 * What a batch holds depends on (dataset, transform, seed, epoch, position) alone: never on the number of threads or on
 * where a run was resumed.
 */

export interface Batch {
  /** uint8 [n, height, width, channels], row-major. Valid until the next batch is asked for. */
  readonly images: Uint8Array;
  /** [n], class indices. */
  readonly labels: Int32Array;
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
}

export interface Loader {
  readonly batchesPerEpoch: number;
  readonly imagesPerEpoch: number;
  /** Batches `firstBatch` and on of an epoch (counted from 1). One at a time: finish or break before the next call. */
  epoch(epoch: number, firstBatch?: number): AsyncIterable<Batch>;
  /** Time spent waiting for a batch that was not ready, so far. */
  waitedMs(): number;
  close(): Promise<void>;
}
