/**
 * A dataset as its reader sees it, whatever the artifact holds: pixels (of `fetch`), a choice of another dataset's rows
 * (of `split`), or another dataset with its transform (of `normalize`). Formats: ARCHITECTURE.md.
 */
import { readFileSync } from "node:fs";
import { canonicalJson } from "../../json.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { ImageSize } from "../transforms/image.ts";
import { type TransformSetting, transformedSize } from "../transforms/transform-list.ts";
import { DataError } from "./data-error.ts";
import { openPixelFile, type PixelFile, type PixelShard } from "./pixel-file.ts";

/** What is read of an artifact. */
export interface DatasetSource {
  path(file?: string): string;
  readonly references: Readonly<Record<string, DatasetSource>>;
  readonly files: readonly { readonly path: string }[];
}

export interface DatasetTransform {
  readonly transforms: readonly TransformSetting[];
  /** Per channel, in units of 0..1: the engine computes (pixel / 255 - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Of the random transforms. */
  readonly seed: number;
}

export interface Dataset {
  readonly length: number;
  /** Of the stored images, before the transform. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Of the images after the transform; the same as stored where there is none. */
  readonly transformedSize: ImageSize;
  readonly classNames: readonly string[];
  /** [length], class indices in this dataset's order. */
  readonly labels: Int32Array;
  readonly transform?: DatasetTransform;
  /** [length], rows of `pixels`; absent where it is all of them in order. */
  readonly rows?: Int32Array;
  readonly pixels: PixelFile;
  /** Stored pixels of image `index`, [height, width, channels], before the transform. Not to be written to. */
  image(index: number): Uint8Array;
  /** Closes the file. Datasets that share pixels close together. */
  close(): void;
}

/** Pixel files by their (first) path, so that datasets opened with the same map (train, valid) share one. */
export type PixelFiles = Map<string, PixelFile>;

/** Throws `DataError` where the artifact is no dataset or contradicts itself. */
export function openDataset(source: DatasetSource, pixelFiles: PixelFiles = new Map()): Dataset {
  const has = (file: string) => source.files.some(({ path }) => path === file);
  if (has("transform.json")) return openTransformed(source, pixelFiles);
  if (has("indices.safetensors")) return openView(source, pixelFiles);
  const images = imageFiles(source);
  if (images.length > 0) return openImages(images, pixelFiles);
  throw new DataError(`no dataset: it holds ${source.files.map(({ path }) => path).join(", ") || "nothing"}`);
}

/** Paths of the one file, or of all shards in their order. Throws where one is missing. */
function imageFiles(source: DatasetSource): readonly string[] {
  const names = source.files.map(({ path }) => path);
  if (names.includes("images.safetensors")) return [source.path("images.safetensors")];
  const total = names.map((name) => /^images-\d{5}-of-(\d{5})\.safetensors$/.exec(name)?.[1]).find((match) => match);
  if (total === undefined) return [];
  return Array.from({ length: Number(total) }, (_, index) => {
    const name = shardName(index, Number(total));
    if (!names.includes(name)) throw new DataError(`a dataset in ${Number(total)} shards lacks ${name}`);
    return source.path(name);
  });
}

/** As sharded models are named: `images-00001-of-00003.safetensors`. `index` counts from 0. */
export function shardName(index: number, total: number): string {
  const digits = (n: number) => String(n).padStart(5, "0");
  return total === 1 ? "images.safetensors" : `images-${digits(index + 1)}-of-${digits(total)}.safetensors`;
}

function openImages(paths: readonly string[], pixelFiles: PixelFiles): Dataset {
  const parts = paths.map(openShard);
  const { size, classNames } = parts[0]!;
  for (const [index, part] of parts.entries())
    if (canonicalJson([part.size, part.classNames]) !== canonicalJson([size, classNames]))
      throw new DataError(`${paths[index]} has other classes, or images of another size, than ${paths[0]}`);
  const labels = new Int32Array(parts.reduce((sum, part) => sum + part.shard.count, 0));
  let first = 0;
  for (const part of parts) {
    labels.set(part.labels, first);
    first += part.shard.count;
  }
  let pixels = pixelFiles.get(paths[0]!);
  if (pixels === undefined) {
    const [height, width, channels] = size;
    pixels = openPixelFile({ shards: parts.map(({ shard }) => shard), count: first, height, width, channels });
    pixelFiles.set(paths[0]!, pixels);
  }
  return createDataset({ pixels, labels, classNames });
}

interface OpenShard {
  readonly shard: PixelShard;
  readonly size: readonly [height: number, width: number, channels: number];
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
}

function openShard(path: string): OpenShard {
  const stored = openSafetensors(path);
  const images = stored.entries.get("images");
  if (images?.dtype !== "U8" || images.shape.length !== 4)
    throw new DataError(`${path} holds no uint8 images [n, h, w, c]`);
  const [count, ...size] = images.shape as [number, number, number, number];
  const labels = stored.read("labels").data;
  if (!(labels instanceof Int32Array) || labels.length !== count)
    throw new DataError(`${path} holds ${count} images, but its labels are not ${count} int32 numbers`);
  const classNames = parseClassNames(stored.metadata.classNames, path);
  const wrong = labels.findIndex((label) => label < 0 || label >= classNames.length);
  if (wrong !== -1)
    throw new DataError(
      `${path}: image ${wrong} has label ${labels[wrong]}, but there are ${classNames.length} classes`,
    );
  return { shard: { path, begin: images.begin, count }, size, labels, classNames };
}

function openView(source: DatasetSource, pixelFiles: PixelFiles): Dataset {
  const base = openDataset(baseOf(source), pixelFiles);
  const path = source.path("indices.safetensors");
  const indices = openSafetensors(path).read("indices").data;
  if (!(indices instanceof Int32Array)) throw new DataError(`${path}: indices are not int32`);
  const wrong = indices.find((index) => index < 0 || index >= base.length);
  if (wrong !== undefined) throw new DataError(`${path}: no image ${wrong} among the ${base.length} it chooses from`);
  return createDataset({
    pixels: base.pixels,
    classNames: base.classNames,
    labels: indices.map((index) => base.labels[index]!),
    rows: base.rows === undefined ? indices : indices.map((index) => base.rows![index]!),
    ...(base.transform === undefined ? {} : { transform: base.transform }),
  });
}

function openTransformed(source: DatasetSource, pixelFiles: PixelFiles): Dataset {
  const base = openDataset(baseOf(source), pixelFiles);
  if (base.transform !== undefined)
    throw new DataError("a normalized dataset was normalized again: its pixels would be scaled twice");
  const transform = JSON.parse(readFileSync(source.path("transform.json"), "utf8")) as DatasetTransform;
  return createDataset({
    pixels: base.pixels,
    classNames: base.classNames,
    labels: base.labels,
    ...(base.rows === undefined ? {} : { rows: base.rows }),
    transform,
  });
}

interface DatasetParts {
  readonly pixels: PixelFile;
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
  readonly rows?: Int32Array;
  readonly transform?: DatasetTransform;
}

function createDataset(parts: DatasetParts): Dataset {
  const { pixels, labels, rows, transform } = parts;
  const { height, width, channels } = pixels.spec;
  return {
    ...parts,
    length: labels.length,
    height,
    width,
    channels,
    transformedSize: transform === undefined ? [height, width] : transformedSize(transform.transforms, [height, width]),
    image(index) {
      if (!Number.isInteger(index) || index < 0 || index >= labels.length)
        throw new Error(`no image ${index} among ${labels.length}`);
      return pixels.read(rows === undefined ? index : rows[index]!);
    },
    close: () => pixels.close(),
  };
}

function baseOf(source: DatasetSource): DatasetSource {
  const base = source.references.base;
  if (base === undefined) throw new DataError("a dataset without pixels names no base that has them");
  return base;
}

function parseClassNames(text: string | undefined, path: string): readonly string[] {
  const names: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string"))
    throw new DataError(`${path} has no list of class names`);
  return names;
}
