/**
 * Datasets as NumPy saves them: an NPZ file (a zip of NPY files), NPY files in a folder or an archive, or NPZ files in a
 * folder. An array is called by its path without `.npy`; x in train.npz is `train/x`.
 */
import { openArchive } from "./archive.ts";
import { DataError } from "./data-error.ts";
import type { FileTree } from "./file-tree.ts";
import { type ImageSplit, type ImageSplits, imagesPerPiece, nameClasses } from "./image-split.ts";
import { type NpyArray, type NpyHeader, type NpyPlace, readNpy } from "./npy.ts";
import { toPixel, type ValueRange } from "./pixel-values.ts";

export interface NumpySettings {
  readonly trainImages?: string;
  readonly trainLabels?: string;
  readonly testImages?: string;
  readonly testLabels?: string;
  /** Of floating-point images: the values that become 0 and 255. */
  readonly valueRange: ValueRange;
  readonly classNames?: readonly string[];
}

/** Throws `DataError` where arrays are missing, ambiguous, or not what images and labels are. */
export async function openNumpy(tree: FileTree, settings: NumpySettings): Promise<ImageSplits> {
  const arrays = await findArrays(tree);
  const { trainImages, trainLabels, testImages, testLabels, valueRange, classNames } = settings;
  const choose = (split: "train" | "test", part: "images" | "labels", name: string | undefined) =>
    chooseArray(tree, arrays, split, part, name);
  // All names first: a missing one is found before anything is read.
  const places = {
    train: [choose("train", "images", trainImages), choose("train", "labels", trainLabels)],
    test: [choose("test", "images", testImages), choose("test", "labels", testLabels)],
  } as const;
  const train = await openSplit(...places.train, valueRange);
  const test = await openSplit(...places.test, valueRange);
  for (const key of ["height", "width", "channels"] as const)
    if (train[key] !== test[key])
      throw new DataError(
        `${places.train[0].name} has images of ${sizeText(train)}, but ${places.test[0].name} of ${sizeText(test)}`,
      );
  return { train, test, classNames: nameClasses(classNames, train.labels, test.labels) };
}

/** Every array by its name. */
async function findArrays(tree: FileTree): Promise<ReadonlyMap<string, NpyPlace>> {
  const arrays = new Map<string, NpyPlace>();
  const add = (name: string, from: FileTree, path: string) =>
    arrays.set(name, { tree: from, path, name: `${path} in ${from.name}` });
  for (const { path } of tree.files) {
    if (path.startsWith("__MACOSX/")) continue;
    if (path.endsWith(".npy")) add(path.slice(0, -4), tree, path);
    if (!path.endsWith(".npz")) continue;
    const place = tree.pathOf?.(path);
    if (place === undefined)
      throw new DataError(
        `${path} in ${tree.name} is an archive in an archive`,
        "unpack the outer one, and connect the folder",
      );
    const inner = await openArchive(place, `${path} in ${tree.name}`);
    for (const file of inner.files)
      if (file.path.endsWith(".npy")) add(`${path.slice(0, -4)}/${file.path.slice(0, -4)}`, inner, file.path);
  }
  return arrays;
}

const PARTS = { images: ["x", "X", "images", "data"], labels: ["y", "Y", "labels", "label", "targets"] } as const;

function chooseArray(
  tree: FileTree,
  arrays: ReadonlyMap<string, NpyPlace>,
  split: "train" | "test",
  part: "images" | "labels",
  name: string | undefined,
): NpyPlace {
  const known = [...arrays.keys()].sort();
  const held = known.length === 0 ? "it holds no NPY arrays" : `it holds ${known.slice(0, 12).join(", ")}`;
  const setting = `numpy.${split}${part === "images" ? "Images" : "Labels"}`;
  if (name !== undefined) {
    const place = arrays.get(name);
    if (place === undefined) throw new DataError(`${tree.name} has no array ${name}; ${held}`, `change \`${setting}\``);
    return place;
  }
  const endings = PARTS[part].flatMap((word) => [`${word}_${split}`, `${split}_${word}`, `${split}/${word}`]);
  // The outermost folder does not count: archives often have one.
  const found = known.filter((array) => endings.some((ending) => array === ending || array.endsWith(`/${ending}`)));
  if (found.length > 1)
    throw new DataError(
      `${tree.name} has ${found.join(" and ")}`,
      `say which one holds the ${split} ${part}: \`${setting}\``,
    );
  if (found.length === 0)
    throw new DataError(
      `${tree.name} has no array of ${split} ${part} under a usual name, such as ${endings[0]}; ${held}`,
      split === "test" && known.length === 2
        ? "a data set has a part to test with: save some images aside, as x_test and y_test"
        : `say which one it is: \`${setting}\``,
    );
  return arrays.get(found[0]!)!;
}

async function openSplit(
  images: NpyPlace,
  labelPlace: NpyPlace,
  valueRange: ValueRange,
): Promise<ImageSplit & { readonly labels: Int32Array }> {
  const { shape } = await readNpy(images, async ({ shape, dtype, floating }) => ({ shape, dtype, floating }));
  const [count, height, width, channels] = imageShape(images.name, shape);
  const labels = await readNpy(labelPlace, (array) => readLabels(labelPlace.name, array));
  if (labels.length !== count)
    throw new DataError(`${images.name} has ${count} images, but ${labelPlace.name} ${labels.length} labels`);
  const imageBytes = height * width * channels;
  return {
    count,
    height,
    width,
    channels,
    labels,
    read: (use) =>
      readNpy(images, async (array) => {
        for (let first = 0; first < count; ) {
          // An element takes 8 bytes here, and a piece should have so many bytes in all.
          const next = Math.min(count, first + imagesPerPiece(8 * imageBytes));
          const values = await array.take((next - first) * imageBytes);
          const pixels = toPixels(images.name, array, values, first * imageBytes, valueRange);
          use(first, pixels, labels.subarray(first, next));
          first = next;
        }
      }),
  };
}

function imageShape(name: string, shape: readonly number[]): readonly [number, number, number, number] {
  const text = `(${shape.join(", ")})`;
  if (shape.length !== 3 && shape.length !== 4)
    throw new DataError(
      `${name} has the shape ${text}, and images have (n, height, width) or (n, height, width, channels)`,
      shape.length === 2 ? "images that were flattened: `np.reshape(array, (-1, height, width))`" : undefined,
    );
  const [count, height, width, channels = 1] = shape as [number, number, number, number?];
  if (count * height * width * channels === 0) throw new DataError(`${name} has the shape ${text}: it holds no pixels`);
  if (channels !== 1 && channels !== 3)
    throw new DataError(
      `${name} has the shape ${text}: images have 1 or 3 channels, not ${channels}`,
      height === 1 || height === 3 ? "channels come last: `np.transpose(array, (0, 2, 3, 1))`" : undefined,
    );
  return [count, height, width, channels];
}

async function readLabels(name: string, { shape, floating, dtype, take }: NpyArray): Promise<Int32Array> {
  const count = shape[0] ?? 1;
  if (shape.length === 0 || shape.length > 2 || (shape[1] ?? 1) !== 1)
    throw new DataError(
      `${name} has the shape (${shape.join(", ")}), and labels have (n)`,
      shape.length === 2 ? "one-hot labels become numbers by `np.argmax(array, axis=1)`" : undefined,
    );
  if (floating) throw new DataError(`${name} holds ${dtype}, and labels are whole numbers`, "`array.astype(np.int64)`");
  const values = await take(count);
  const wrong = values.findIndex((value) => value < 0 || value > 65_535);
  if (wrong !== -1)
    throw new DataError(`${name} has the label ${values[wrong]} at ${wrong}: labels are whole numbers from 0 to 65535`);
  return Int32Array.from(values);
}

/** `first` is the first value's index in the array, for messages. */
function toPixels(
  name: string,
  { floating, dtype, shape }: NpyHeader,
  values: Float64Array | Uint8Array,
  first: number,
  valueRange: ValueRange,
): Uint8Array {
  if (values instanceof Uint8Array) return values;
  const range: ValueRange = floating ? valueRange : [0, 255];
  const pixels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const pixel = toPixel(values[i]!, range, false);
    if (typeof pixel === "string")
      throw new DataError(
        `${name} has the value ${values[i]} at [${placeOf(first + i, shape).join(", ")}]: ${pixel}`,
        floating
          ? `which values are black and white is said by \`numpy.valueRange\` (now [${range.join(", ")}])`
          : `pixels of ${dtype} are from 0 to 255`,
      );
    pixels[i] = pixel;
  }
  return pixels;
}

function placeOf(index: number, shape: readonly number[]): readonly number[] {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place;
}

function sizeText({ height, width, channels }: ImageSplit): string {
  return `${height} x ${width} x ${channels}`;
}
