/** Where the bytes of two files part. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface FirstDifference {
  /** From 0; where one file is the beginning of the other, its end. */
  readonly firstByte: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
}

const PIECE_BYTES = 1 << 20;

/** Of files that differ. */
export function findFirstDifference(before: string, after: string): FirstDifference {
  const [a, b] = [openSync(before, "r"), openSync(after, "r")];
  try {
    const sizes = { beforeBytes: fstatSync(a).size, afterBytes: fstatSync(b).size };
    const shorter = Math.min(sizes.beforeBytes, sizes.afterBytes);
    const [old, now] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
    for (let at = 0; at < shorter; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, shorter - at);
      fill(a, old, at, length);
      fill(b, now, at, length);
      if (old.compare(now, 0, length, 0, length) === 0) continue;
      let inside = 0;
      while (old[inside] === now[inside]) inside++;
      return { firstByte: at + inside, ...sizes };
    }
    return { firstByte: shorter, ...sizes };
  } finally {
    closeSync(a);
    closeSync(b);
  }
}

function fill(file: number, buffer: Buffer, position: number, length: number): void {
  for (let done = 0; done < length; ) {
    const count = readSync(file, buffer, done, length - done, position + done);
    if (count === 0) throw new Error("a file ended while it was read");
    done += count;
  }
}
