/** Decodes images in worker threads, or in this one. */
import { Worker } from "node:worker_threads";
import type { Image } from "../transforms/image.ts";
import type { DecodeSettings } from "./decode-image.ts";
import type { DecodeJob, DecodeReply } from "./decode-worker.ts";

export interface Decoder {
  /** How many images are worth asking for at once. */
  readonly width: number;
  /** Rejects with the reason where `bytes` are no whole image. */
  decode(bytes: Uint8Array): Promise<Image>;
  close(): Promise<void>;
}

export interface DecoderOptions extends DecodeSettings {
  /** 0: in this thread. */
  readonly threads: number;
  /** Path of the bundled `decode-worker.ts`. Needed where there are threads. */
  readonly workerModule?: string | URL;
}

export async function createDecoder({ threads, workerModule, ...settings }: DecoderOptions): Promise<Decoder> {
  if (threads === 0) {
    const { decodeImage } = await import("./decode-image.ts");
    return { width: 4, decode: (bytes) => decodeImage(bytes, settings), close: async () => {} };
  }
  if (workerModule === undefined) throw new Error("a decoder with threads needs the path of its worker module");
  const waiting = new Map<number, { resolve(image: Image): void; reject(error: Error): void }>();
  let jobs = 0;
  let broken: Error | undefined;
  const fail = (error: Error) => {
    broken ??= error;
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
  };
  const workers = Array.from({ length: threads }, (_, index) => {
    const worker = new Worker(workerModule, { workerData: settings, name: `tfpipe decoder ${index}`, execArgv: [] });
    worker.on("message", (reply: DecodeReply) => {
      const asked = waiting.get(reply.job);
      waiting.delete(reply.job);
      if ("image" in reply) asked?.resolve(reply.image);
      else asked?.reject(new Error(reply.error));
    });
    worker.on("error", (error) => fail(new Error(`a decoding thread failed: ${error.message}`)));
    worker.on("exit", (code) => fail(new Error(`a decoding thread stopped (exit code ${code})`)));
    return worker;
  });
  return {
    width: threads * 8,
    decode: (bytes) =>
      new Promise((resolve, reject) => {
        if (broken !== undefined) return reject(broken);
        const job = ++jobs;
        waiting.set(job, { resolve, reject });
        workers[job % threads]!.postMessage({ job, bytes } satisfies DecodeJob);
      }),
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
