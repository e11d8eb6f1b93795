/**
 * Digests of large files, several at once, in threads beside the program's own: each core does its share, and the program
 * goes on talking. A thread takes tens of milliseconds to start, so smaller files are not worth one. Threads are started
 * when they are first needed, at most as many as asked for; one that waits does not keep the process alive.
 */
import { statSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import type { DigestReply } from "./digest-worker.ts";
import type { FileSystem } from "./file-system.ts";

export interface DigestThreadsOptions {
  /** Path of the built `digest-worker`. */
  readonly worker: string;
  /** At most so many at once. */
  readonly threads: number;
  /** Files from this size on. */
  readonly leastBytes?: number;
}

interface Job {
  readonly path: string;
  readonly resolve: (digest: string) => void;
  readonly reject: (error: Error) => void;
}

/** One that has nothing to do, or has just got something. */
interface Thread {
  work(job: Job): void;
}

const LEAST_BYTES = 64 << 20;

export function createDigestThreads({
  worker,
  threads,
  leastBytes = LEAST_BYTES,
}: DigestThreadsOptions): Required<Pick<FileSystem, "digestBeside">> {
  const waiting: Job[] = [];
  const idle: Thread[] = [];
  let count = 0;

  const start = async (job: Job): Promise<void> => {
    const thread = idle.pop();
    if (thread !== undefined) return thread.work(job);
    if (count >= threads) return void waiting.push(job);
    count += 1;
    const { Worker } = await import("node:worker_threads");
    openThread(new Worker(worker)).work(job);
  };
  const openThread = (started: Worker): Thread => {
    let current: Job | undefined;
    const thread: Thread = {
      work(job) {
        current = job;
        started.ref();
        started.postMessage(job.path);
      },
    };
    started.on("message", (reply: DigestReply) => {
      const { path, resolve, reject } = current!;
      if ("digest" in reply) resolve(reply.digest);
      else reject(Object.assign(new Error(reply.error.message), { code: reply.error.code, path }));
      current = undefined;
      const next = waiting.shift();
      if (next !== undefined) return thread.work(next);
      started.unref();
      idle.push(thread);
    });
    started.on("error", (error) => current?.reject(error));
    started.on("exit", (code) => {
      current?.reject(new Error(`the thread that digested ${current.path} ended (${code})`));
      count -= 1;
      if (idle.includes(thread)) idle.splice(idle.indexOf(thread), 1);
      const next = waiting.shift();
      if (next !== undefined) void start(next);
    });
    return thread;
  };
  return {
    digestBeside(path) {
      const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (sizeBytes < leastBytes) return undefined;
      return new Promise((resolve, reject) => void start({ path, resolve, reject }));
    },
  };
}
