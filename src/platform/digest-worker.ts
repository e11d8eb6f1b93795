/** The thread that digests large files, one after the other: a path comes in, its sha256 or what the system said goes out. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";

export type DigestReply =
  | { readonly digest: string }
  | { readonly error: { readonly message: string; readonly code: string | undefined } };

/** Small enough to stay in the processor's cache between reading and hashing. */
const buffer = Buffer.allocUnsafe(1 << 18);

parentPort?.on("message", (path: string) => parentPort?.postMessage(reply(path)));

function reply(path: string): DigestReply {
  try {
    return { digest: digest(path) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { error: { message, code } };
  }
}

function digest(path: string): string {
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  try {
    for (;;) {
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) return hash.digest("hex");
      hash.update(count === buffer.length ? buffer : buffer.subarray(0, count));
    }
  } finally {
    closeSync(file);
  }
}
