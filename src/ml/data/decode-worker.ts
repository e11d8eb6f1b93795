/** The worker thread that decodes images. Started by `createDecoder` from a bundle of this file. */
import { parentPort, workerData } from "node:worker_threads";
import sharp from "sharp";
import type { Image } from "../transforms/image.ts";
import { type DecodeSettings, decodeImage } from "./decode-image.ts";

export interface DecodeJob {
  readonly job: number;
  readonly bytes: Uint8Array;
}

export type DecodeReply =
  | { readonly job: number; readonly image: Image }
  | { readonly job: number; readonly error: string };

// Images are small and many: no threads inside one, and none comes twice.
sharp.concurrency(1);
sharp.cache(false);

parentPort!.on("message", async ({ job, bytes }: DecodeJob) => {
  try {
    const image = await decodeImage(bytes, workerData as DecodeSettings);
    parentPort!.postMessage({ job, image } satisfies DecodeReply, [image.data.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort!.postMessage({ job, error: (error as Error).message } satisfies DecodeReply);
  }
});
