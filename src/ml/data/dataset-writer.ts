/** Writes the three forms of a dataset that `openDataset` reads, each with the card that people see. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonValue } from "../../json.ts";
import { createSafetensors, writeSafetensors } from "../checkpoint/safetensors.ts";
import type { Dataset, DatasetTransform } from "./dataset.ts";

export interface ImagesLayout {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classNames: readonly string[];
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

/** Creates `images.safetensors` and, when finished, `card.json` in `folder`. */
export function createImagesWriter(folder: string, layout: ImagesLayout): ImagesWriter {
  const { count, height, width, channels, classNames } = layout;
  const imageBytes = height * width * channels;
  const file = createSafetensors(
    join(folder, "images.safetensors"),
    {
      images: { dtype: "U8", shape: [count, height, width, channels] },
      labels: { dtype: "I32", shape: [count] },
    },
    { classNames: JSON.stringify(classNames) },
  );
  const labels = new Int32Array(count).fill(-1);
  return {
    write(first, images, imageLabels) {
      if (images.length !== imageLabels.length * imageBytes)
        throw new Error(
          `${imageLabels.length} images take ${imageLabels.length * imageBytes} bytes, not ${images.length}`,
        );
      file.write("images", first * imageBytes, images);
      labels.set(imageLabels, first);
    },
    finish() {
      const missing = labels.indexOf(-1);
      if (missing !== -1) throw new Error(`image ${missing} of ${count} was never written`);
      file.write("labels", 0, new Uint8Array(labels.buffer));
      writeJson(folder, "card.json", card({ count, size: [height, width], channels, classNames, labels }));
    },
    close: () => file.close(),
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
