/**
 * A ring of batches in shared memory, filled by worker threads.
 *
 * A worker marks a finished slot with its job's number (so that the main thread, just out of a long step, sees it
 * without a turn of the event loop) and posts a message (so that it can be waited for). A worker that dies fails what
 * was asked of it and everything after.
 */
import { Worker } from "node:worker_threads";
import type { BatchSource } from "./batch-source.ts";
import type { BatchRecipe } from "./fill-batch.ts";
import type { LoaderJob, LoaderReply, LoaderWorkerData } from "./loader-worker.ts";

export interface WorkerRingOptions {
  readonly recipe: BatchRecipe;
  readonly threads: number;
  readonly workerModule: string | URL;
  readonly slotBytes: number;
}

interface PendingJob {
  readonly number: number;
  readonly done: Promise<void>;
  settle(error?: Error): void;
}

export function createWorkerRing({ recipe, threads, workerModule, slotBytes }: WorkerRingOptions): BatchSource {
  // One in use, one for each worker to fill, one more so that a worker finds its next job waiting.
  const slots = Array.from({ length: threads + 2 }, () => new SharedArrayBuffer(slotBytes));
  const filled = new SharedArrayBuffer(slots.length * 4);
  const state = new Int32Array(filled);
  const workerData: LoaderWorkerData = { recipe, slots, filled };
  const pending = new Map<number, PendingJob>();
  const bySlot: PendingJob[] = [];
  let jobs = 0;
  let closing = false;
  let broken: Error | undefined;

  const fail = (error: Error) => {
    if (closing) return;
    broken ??= error;
    for (const job of pending.values()) job.settle(broken);
  };
  const workers = Array.from({ length: threads }, (_, index) => {
    const worker = new Worker(workerModule, { workerData, name: `tfpipe loader ${index}`, execArgv: [] });
    worker.on("message", ({ job, error }: LoaderReply) =>
      pending.get(job)?.settle(error === undefined ? undefined : new Error(error)),
    );
    worker.on("error", (error) => fail(new Error(`a loader thread failed: ${error.message}`)));
    worker.on("exit", (code) => fail(new Error(`a loader thread stopped (exit code ${code})`)));
    return worker;
  });

  return {
    slots: slots.length,
    start(slot, epoch, indices) {
      const number = ++jobs;
      const job = createPendingJob(number, () => pending.delete(number));
      pending.set(number, job);
      bySlot[slot] = job;
      if (broken !== undefined) job.settle(broken);
      else workers[number % threads]!.postMessage({ job: number, slot, epoch, indices } satisfies LoaderJob);
    },
    isReady: (slot) => Atomics.load(state, slot) === bySlot[slot]!.number,
    async wait(slot) {
      const job = bySlot[slot]!;
      if (Atomics.load(state, slot) !== job.number) await job.done;
      return new Uint8Array(slots[slot]!);
    },
    async close() {
      fail(new Error("the loader was closed"));
      closing = true;
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function createPendingJob(number: number, forget: () => void): PendingJob {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const done = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever waits gets the error; a job nobody waits for any more must not bring the process down.
  done.catch(() => {});
  return {
    number,
    done,
    settle(error) {
      forget();
      if (error === undefined) resolve();
      else reject(error);
    },
  };
}
