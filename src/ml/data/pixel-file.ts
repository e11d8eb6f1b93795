/**
 * The pixels of a dataset where they lie: in one safetensors file or in several shards, image after image.
 *
 * Read by position, since together they may be larger than memory; or read once into memory that all worker threads
 * share, where they fit.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** A file's part of the images. */
export interface PixelShard {
  readonly path: string;
  /** Where its first image begins, in bytes from the file's start. */
  readonly begin: number;
  readonly count: number;
}

/** Enough to find every image; can be sent to another thread. */
export interface PixelSpec {
  /** Rows go through them in this order. */
  readonly shards: readonly PixelShard[];
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** All images, where they are held in memory. */
  readonly shared?: SharedArrayBuffer;
}

export interface PixelFile {
  readonly spec: PixelSpec;
  /** The pixels of image `row`, [height, width, channels]. A view where memory is shared: do not write to it. */
  read(row: number): Uint8Array;
  /** The file that holds image `row`, for messages. */
  pathOf(row: number): string;
  /** Reads everything into shared memory, unless it takes more than `limitBytes`. Again: nothing happens. */
  share(limitBytes: number): void;
  close(): void;
}

/** A dataset of terabytes has more shards than a process may have open files. */
const OPEN_FILES = 64;

export function openPixelFile(given: PixelSpec): PixelFile {
  const imageBytes = given.height * given.width * given.channels;
  /** The first row of each shard. */
  const firstRows: number[] = [];
  let rows = 0;
  for (const { count } of given.shards) {
    firstRows.push(rows);
    rows += count;
  }
  let spec = given;
  /** By path, the one used longest ago first. */
  const files = new Map<string, number>();

  const shardOf = (row: number): number => {
    if (!Number.isInteger(row) || row < 0 || row >= spec.count) throw new Error(`no image ${row} among ${spec.count}`);
    let [low, high] = [0, firstRows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firstRows[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const fileAt = (path: string): number => {
    const file = files.get(path) ?? openSync(path, "r");
    files.delete(path);
    files.set(path, file);
    if (files.size > OPEN_FILES) {
      const [oldest, handle] = files.entries().next().value!;
      files.delete(oldest);
      closeSync(handle);
    }
    return file;
  };
  const readInto = (target: Uint8Array, path: string, position: number) => {
    const file = fileAt(path);
    for (let done = 0; done < target.length; ) {
      const count = readSync(file, target, done, Math.min(target.length - done, 0x4000000), position + done);
      if (count === 0) throw new Error(`${path} ended at byte ${position + done}`);
      done += count;
    }
  };
  return {
    get spec() {
      return spec;
    },
    read(row) {
      const index = shardOf(row);
      if (spec.shared !== undefined) return new Uint8Array(spec.shared, row * imageBytes, imageBytes);
      const { path, begin } = spec.shards[index]!;
      const image = new Uint8Array(imageBytes);
      readInto(image, path, begin + (row - firstRows[index]!) * imageBytes);
      return image;
    },
    pathOf: (row) => spec.shards[shardOf(row)]!.path,
    share(limitBytes) {
      const sizeBytes = spec.count * imageBytes;
      if (spec.shared !== undefined || sizeBytes > limitBytes) return;
      const shared = new SharedArrayBuffer(sizeBytes);
      for (const [index, { path, begin, count }] of spec.shards.entries())
        readInto(new Uint8Array(shared, firstRows[index]! * imageBytes, count * imageBytes), path, begin);
      spec = { ...spec, shared };
    },
    close() {
      for (const file of files.values()) closeSync(file);
      files.clear();
    },
  };
}
