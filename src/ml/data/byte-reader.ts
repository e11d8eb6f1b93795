/** Bytes that arrive in pieces of any size, taken in the sizes that a format has; and gzip taken off on the way. */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

export interface ByteReader {
  /** The next `count` bytes, or fewer where the end comes before. */
  take(count: number): Promise<Buffer>;
  /** Bytes taken so far. */
  position(): number;
}

export function createByteReader(pieces: AsyncIterable<Buffer>): ByteReader {
  const iterator = pieces[Symbol.asyncIterator]();
  let piece: Buffer = Buffer.alloc(0);
  let position = 0;
  return {
    async take(count) {
      // Room is made for what arrives, not for what was asked for: a header may lie.
      const taken: Buffer[] = [];
      let missing = count;
      while (missing > 0) {
        if (piece.length === 0) {
          const next = await iterator.next();
          if (next.done === true) break;
          piece = next.value;
        }
        const part = piece.subarray(0, missing);
        piece = piece.subarray(part.length);
        missing -= part.length;
        taken.push(part);
      }
      position += count - missing;
      return taken.length === 1 ? taken[0]! : Buffer.concat(taken);
    },
    position: () => position,
  };
}

/** The same bytes, unpacked where they begin as gzip does. Throws what zlib says where they are damaged. */
export async function* gunzipped(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  // The first piece may be of a single byte.
  while (head.length < 2) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* whole() {
    try {
      yield head;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* whole();
    return;
  }
  const gunzip = createGunzip();
  let failure: Error | undefined;
  // `pipeline` hands an error of either stream to the other; the first one is what went wrong.
  const packed = Readable.from(whole());
  packed.on("error", (error: Error) => (failure ??= error));
  pipeline(packed, gunzip, (error) => (failure ??= error ?? undefined));
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    throw failure ?? error;
  } finally {
    gunzip.destroy();
    packed.destroy();
  }
}
