/**
 * The loader's worker thread: takes jobs, fills slots of the shared ring, says so. Started by `createLoader` from a
 * bundle of this file; `workerData` is a `LoaderWorkerData`.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type BatchRecipe, createBatchFiller } from "./fill-batch.ts";

export interface LoaderWorkerData {
  readonly recipe: BatchRecipe;
  /** One per slot: images, one after the other. */
  readonly slots: readonly SharedArrayBuffer[];
  /** One per slot: the number of the job whose images it holds. */
  readonly filled: SharedArrayBuffer;
}

export interface LoaderJob {
  readonly job: number;
  readonly slot: number;
  readonly epoch: number;
  readonly indices: Int32Array;
}

/** `error` is absent where the slot is filled. */
export interface LoaderReply {
  readonly job: number;
  readonly error?: string;
}

const { recipe, slots, filled } = workerData as LoaderWorkerData;
const filler = createBatchFiller(recipe);
const state = new Int32Array(filled);

parentPort!.on("message", ({ job, slot, epoch, indices }: LoaderJob) => {
  let reply: LoaderReply = { job };
  try {
    filler.fill(epoch, indices, new Uint8Array(slots[slot]!));
    Atomics.store(state, slot, job);
  } catch (error) {
    reply = { job, error: (error as Error).message };
  }
  parentPort!.postMessage(reply);
});
