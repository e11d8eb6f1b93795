/**
 * Images in folders, `train/<class>/...` and `test/<class>/...`, as torchvision's `ImageFolder` reads them: classes are the
 * folders' names in code-unit order, images of a class are in code-unit order of their paths.
 */
import type { Image } from "../transforms/image.ts";
import { DataError } from "./data-error.ts";
import { createImagesWriter, type ImagesWriter } from "./dataset-writer.ts";
import type { Decoder } from "./decoder.ts";
import { type FileTree, listing } from "./file-tree.ts";

const IMAGE = /\.(jpe?g|png)$/i;

export interface FolderImage {
  readonly path: string;
  readonly label: number;
}

export interface ImageFolder {
  readonly classNames: readonly string[];
  readonly train: readonly FolderImage[];
  readonly test: readonly FolderImage[];
  /** Files below train and test that are no images by their name. */
  readonly ignored: number;
}

/** Sorts a tree's files into splits and classes. Throws `DataError` where that cannot be done. */
export function findImages(tree: FileTree): ImageFolder {
  const found = { train: new Map<string, string[]>(), test: new Map<string, string[]>() };
  const prefixes = new Set<string>();
  let ignored = 0;
  for (const { path } of tree.files) {
    const match = /^(?<prefix>(?:[^/]+\/)*?)(?<split>train|test)\/(?<className>[^/]+)\/(?:.*\/)?(?<file>[^/]+)$/.exec(
      path,
    );
    if (match?.groups === undefined || path.startsWith("__MACOSX/")) continue;
    const { prefix, split, className, file } = match.groups as Record<
      "prefix" | "split" | "className" | "file",
      string
    >;
    if (!IMAGE.test(file) || file.startsWith(".")) {
      ignored++;
      continue;
    }
    prefixes.add(prefix);
    const classes = found[split as "train" | "test"];
    const paths = classes.get(className);
    if (paths === undefined) classes.set(className, [path]);
    else paths.push(path);
  }
  if (prefixes.size > 1) {
    const [first, second] = [...prefixes].sort();
    throw new DataError(`${tree.name} has images in two places: ${first}train|test and ${second}train|test`);
  }
  for (const split of ["train", "test"] as const)
    if (found[split].size === 0)
      throw new DataError(
        `${tree.name} has no images under ${split}/<class>/; ${listing(tree)}`,
        split === "test"
          ? "a data set needs train/<class>/*.jpg and test/<class>/*.jpg; put some images aside as test/"
          : "a data set needs train/<class>/*.jpg and test/<class>/*.jpg (or .png)",
      );
  const classNames = [...found.train.keys()].sort();
  const unknown = [...found.test.keys()].sort().find((name) => !found.train.has(name));
  if (unknown !== undefined)
    throw new DataError(
      `${tree.name} has test images of the class ${JSON.stringify(unknown)}, but no such train images`,
    );
  const inOrder = (classes: ReadonlyMap<string, readonly string[]>) =>
    classNames.flatMap((name, label) => [...(classes.get(name) ?? [])].sort().map((path) => ({ path, label })));
  return { classNames, train: inOrder(found.train), test: inOrder(found.test), ignored };
}

export interface WriteImageFolderOptions {
  readonly tree: FileTree;
  readonly images: ImageFolder;
  readonly decoder: Decoder;
  /** Output folders. */
  readonly folders: { readonly train: string; readonly test: string };
  readonly signal: AbortSignal;
  onImage(done: number, total: number): void;
}

/**
 * Decodes all images into two datasets, as many at once as the decoder likes. The first image read says what size all
 * must have. Throws `DataError` naming the file that cannot be decoded or differs.
 */
export async function writeImageFolder(options: WriteImageFolderOptions): Promise<void> {
  const { tree, images, decoder, folders, signal, onImage } = options;
  const places = new Map<
    string,
    { readonly split: "train" | "test"; readonly index: number; readonly label: number }
  >();
  for (const split of ["train", "test"] as const)
    for (const [index, { path, label }] of images[split].entries()) places.set(path, { split, index, label });

  let first: { readonly path: string; readonly image: Image } | undefined;
  let writers: Readonly<Record<"train" | "test", ImagesWriter>> | undefined;
  let failure: unknown;
  let done = 0;
  const busy = new Set<Promise<void>>();

  const take = async (path: string, bytes: Buffer) => {
    const image = await decoder.decode(bytes).catch((error: Error) => {
      throw new DataError(`${path} in ${tree.name} cannot be decoded: ${error.message.split("\n")[0]}`);
    });
    const { height, width, channels } = image;
    first ??= { path, image };
    if (first.image.height !== height || first.image.width !== width)
      throw new DataError(
        `${path} in ${tree.name} has ${height} x ${width} pixels, but ${first.path} has ${first.image.height} x ${first.image.width}`,
        "set `imageSize` to bring all images to one size",
      );
    writers ??= createWriters({ height, width, channels, classNames: images.classNames });
    const { split, index, label } = places.get(path)!;
    writers[split].write(index, image.data, Int32Array.of(label));
    onImage(++done, places.size);
  };
  const createWriters = (layout: Pick<Image, "height" | "width" | "channels"> & { classNames: readonly string[] }) => {
    const train = createImagesWriter(folders.train, { ...layout, count: images.train.length });
    const test = createImagesWriter(folders.test, { ...layout, count: images.test.length });
    return { train, test };
  };

  try {
    await tree.read(new Set(places.keys()), async (path, bytes) => {
      signal.throwIfAborted();
      // The first image alone, so that it is always the same one that says the size.
      if (first === undefined) return take(path, bytes);
      const job = take(path, bytes)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => busy.delete(job));
      busy.add(job);
      if (busy.size >= decoder.width) await Promise.race(busy);
      if (failure !== undefined) throw failure;
    });
    await Promise.all(busy);
    if (failure !== undefined) throw failure;
    writers!.train.finish();
    writers!.test.finish();
  } finally {
    await Promise.all(busy);
    writers?.train.close();
    writers?.test.close();
  }
}
