/** Writes the three forms of a dataset that `openDataset` reads, each with the card that people see. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonValue } from "../../json.ts";
import { createSafetensors, type SafetensorsWriter, writeSafetensors } from "../checkpoint/safetensors.ts";
import { type Dataset, type DatasetTransform, shardName } from "./dataset.ts";

export interface ImagesLayout {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classNames: readonly string[];
  /** Pixels of more bytes than this are divided among several files. Default 1 GiB. */
  readonly shardBytes?: number;
}

/** Takes a dataset's images in any order, one or many at a time, so that not all have to be in memory. */
export interface ImagesWriter {
  /** One or more whole images, [n, height, width, channels], from image `first` on, and their labels. */
  write(first: number, images: Uint8Array, labels: Int32Array): void;
  /** Throws where images are missing. */
  finish(): void;
  /** Closes the file; also after an error. */
  close(): void;
}

/** Part of the format: another number gives other bytes for the same images. */
const SHARD_BYTES = 2 ** 30;

/** Creates `images.safetensors` (or its shards) and, when finished, `card.json` in `folder`. */
export function createImagesWriter(folder: string, layout: ImagesLayout): ImagesWriter {
  const { count, height, width, channels, classNames, shardBytes = SHARD_BYTES } = layout;
  const imageBytes = height * width * channels;
  /** Images of every shard; the last one may have fewer. */
  const perShard = Math.max(1, count * imageBytes <= shardBytes ? count : Math.floor(shardBytes / imageBytes));
  const total = Math.max(1, Math.ceil(count / perShard));
  const files: SafetensorsWriter[] = [];
  const close = () => {
    for (const file of files.splice(0)) file.close();
  };
  try {
    for (let index = 0; index < total; index++) {
      const own = Math.min(perShard, count - index * perShard);
      const tensors = {
        images: { dtype: "U8", shape: [own, height, width, channels] },
        labels: { dtype: "I32", shape: [own] },
      } as const;
      const path = join(folder, shardName(index, total));
      files.push(createSafetensors(path, tensors, { classNames: JSON.stringify(classNames) }));
    }
  } catch (error) {
    close();
    throw error;
  }
  const labels = new Int32Array(count).fill(-1);
  return {
    write(first, images, imageLabels) {
      if (images.length !== imageLabels.length * imageBytes)
        throw new Error(
          `${imageLabels.length} images take ${imageLabels.length * imageBytes} bytes, not ${images.length}`,
        );
      for (let done = 0; done < imageLabels.length; ) {
        const [shard, row] = [Math.floor((first + done) / perShard), (first + done) % perShard];
        const next = Math.min(imageLabels.length, done + perShard - row);
        files[shard]!.write("images", row * imageBytes, images.subarray(done * imageBytes, next * imageBytes));
        done = next;
      }
      labels.set(imageLabels, first);
    },
    finish() {
      const missing = labels.indexOf(-1);
      if (missing !== -1) throw new Error(`image ${missing} of ${count} was never written`);
      for (const [index, file] of files.entries()) {
        const own = labels.subarray(index * perShard, (index + 1) * perShard);
        file.write("labels", 0, new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
      }
      writeJson(folder, "card.json", card({ count, size: [height, width], channels, classNames, labels }));
    },
    close,
  };
}

/** A choice of `base`'s images, in the order of `indices`. The folder must reference the base's artifact as `base`. */
export function writeView(folder: string, base: Dataset, indices: Int32Array): void {
  writeSafetensors(join(folder, "indices.safetensors"), {
    indices: { dtype: "I32", shape: [indices.length], data: indices },
  });
  const { transformedSize: size, channels, classNames } = base;
  const labels = indices.map((index) => base.labels[index]!);
  writeJson(folder, "card.json", card({ count: indices.length, size, channels, classNames, labels }));
}

/** `base` seen through a transform into images of `size`. The folder must reference the base's artifact as `base`. */
export function writeTransformed(
  folder: string,
  base: Dataset,
  transform: DatasetTransform,
  size: readonly [height: number, width: number],
): void {
  const { length: count, channels, classNames, labels } = base;
  writeJson(folder, "transform.json", toJson(transform));
  writeJson(folder, "card.json", {
    ...card({ count, size, channels, classNames, labels }),
    storedSize: [base.height, base.width],
    ...toJson(transform),
  });
}

/** Canonical JSON and a line feed. */
export function writeJson(folder: string, file: string, value: JsonValue): void {
  writeFileSync(join(folder, file), `${canonicalJson(value)}\n`, { flag: "wx" });
}

function toJson({ transforms, mean, std, seed }: DatasetTransform) {
  return { transforms: transforms as unknown as JsonValue, mean, std, seed };
}

interface CardParts {
  readonly count: number;
  readonly size: readonly [height: number, width: number];
  readonly channels: number;
  readonly classNames: readonly string[];
  readonly labels: Int32Array;
}

function card({ count, size: [height, width], channels, classNames, labels }: CardParts) {
  const imagesPerClass = classNames.map(() => 0);
  for (const label of labels) imagesPerClass[label]!++;
  const firstLabels = [...labels.subarray(0, 10)].map((label) => classNames[label]!);
  return { count, height, width, channels, classes: classNames.length, classNames, imagesPerClass, firstLabels };
}
