import { type BatchRecipe, createBatchFiller } from "./fill-batch.ts";

/** What fills the ring's slots: this thread, or others. */
export interface BatchSource {
  /** How many batches may be asked for before the first is given back. */
  readonly slots: number;
  /** Starts to fill a slot; it must be free. */
  start(slot: number, epoch: number, indices: Int32Array): void;
  /** Whether `wait` would return at once. */
  isReady(slot: number): boolean;
  /** The slot's images, once it is filled. */
  wait(slot: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** One slot, filled when it is waited for. */
export function createInlineSource(recipe: BatchRecipe, slotBytes: number): BatchSource {
  const filler = createBatchFiller(recipe);
  const images = new Uint8Array(slotBytes);
  let asked: { readonly epoch: number; readonly indices: Int32Array } | undefined;
  return {
    slots: 1,
    start(_slot, epoch, indices) {
      asked = { epoch, indices };
    },
    isReady: () => false,
    async wait() {
      filler.fill(asked!.epoch, asked!.indices, images);
      return images;
    },
    async close() {
      filler.close();
    },
  };
}
