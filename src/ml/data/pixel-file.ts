/**
 * The pixels of a dataset where they lie: a range of bytes in a safetensors file, image after image.
 *
 * Read by position, since the file may be larger than memory; or read once into memory that all worker threads share,
 * where it fits.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** Enough to find every image; can be sent to another thread. */
export interface PixelSpec {
  readonly path: string;
  /** Where the first image begins, in bytes from the file's start. */
  readonly begin: number;
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
  /** Reads everything into shared memory, unless it takes more than `limitBytes`. Again: nothing happens. */
  share(limitBytes: number): void;
  close(): void;
}

export function openPixelFile(given: PixelSpec): PixelFile {
  const imageBytes = given.height * given.width * given.channels;
  let spec = given;
  let file: number | undefined;

  const readInto = (target: Uint8Array, position: number) => {
    file ??= openSync(spec.path, "r");
    for (let done = 0; done < target.length; ) {
      const count = readSync(file, target, done, Math.min(target.length - done, 0x4000000), position + done);
      if (count === 0) throw new Error(`${spec.path} ended at byte ${position + done}`);
      done += count;
    }
  };
  return {
    get spec() {
      return spec;
    },
    read(row) {
      if (!Number.isInteger(row) || row < 0 || row >= spec.count)
        throw new Error(`no image ${row} among ${spec.count}`);
      if (spec.shared !== undefined) return new Uint8Array(spec.shared, row * imageBytes, imageBytes);
      const image = new Uint8Array(imageBytes);
      readInto(image, spec.begin + row * imageBytes);
      return image;
    },
    share(limitBytes) {
      const sizeBytes = spec.count * imageBytes;
      if (spec.shared !== undefined || sizeBytes > limitBytes) return;
      const shared = new SharedArrayBuffer(sizeBytes);
      readInto(new Uint8Array(shared), spec.begin);
      spec = { ...spec, shared };
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
