/**
 * CIFAR-10 and CIFAR-100 in their binary form (Krizhevsky, 2009): records of one label byte (CIFAR-100: coarse, then fine)
 * and 3,072 pixels as three planes of 32 x 32. Where they come from stands here too, beside the sha256 that the bytes
 * must have.
 */
import { DataError } from "./data-error.ts";
import { type FileTree, findFile } from "./file-tree.ts";
import type { ImageSplit, ImageSplits } from "./image-split.ts";

export interface CifarFormat {
  readonly url: string;
  readonly sha256: string;
  readonly trainFiles: readonly string[];
  readonly testFiles: readonly string[];
  readonly recordsPerTrainFile: number;
  readonly recordsPerTestFile: number;
  readonly labelBytes: 1 | 2;
}

export const CIFAR_SIZE = 32;
const PLANE = CIFAR_SIZE * CIFAR_SIZE;
const PIXELS = 3 * PLANE;

export const CIFAR10: CifarFormat = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
  trainFiles: ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
  testFiles: ["test_batch.bin"],
  recordsPerTrainFile: 10_000,
  recordsPerTestFile: 10_000,
  labelBytes: 1,
};

export const CIFAR100: CifarFormat = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
  sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
  trainFiles: ["train.bin"],
  testFiles: ["test.bin"],
  recordsPerTrainFile: 50_000,
  recordsPerTestFile: 10_000,
  labelBytes: 2,
};

export const CIFAR10_CLASSES: readonly string[] = "airplane automobile bird cat deer dog frog horse ship truck".split(
  " ",
);

export const CIFAR100_COARSE_CLASSES: readonly string[] = (
  "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture " +
  "insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores " +
  "medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2"
).split(" ");

export const CIFAR100_FINE_CLASSES: readonly string[] = (
  "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle " +
  "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish " +
  "forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle " +
  "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine " +
  "possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar " +
  "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree " +
  "wolf woman worm"
).split(" ");

/** In the official order. `label` is which label byte counts. Throws `DataError` where a file is missing, of a wrong size, or has a wrong label. */
export function openCifar(
  tree: FileTree,
  format: CifarFormat,
  label: 0 | 1,
  classes: number,
): Pick<ImageSplits, "train" | "test"> {
  if (tree.files.some(({ path }) => /(^|\/)(data_batch_1|train)$/.test(path)))
    throw new DataError(
      `${tree.name} is the version of CIFAR for Python`,
      "take the binary version, as its authors call it",
    );
  const recordBytes = format.labelBytes + PIXELS;
  const splitOf = (names: readonly string[], records: number): ImageSplit => {
    const files = names.map((name) => findFile(tree, (fileName) => fileName === name, name));
    for (const { path, sizeBytes } of files)
      if (sizeBytes !== records * recordBytes)
        throw new DataError(
          `${path} in ${tree.name} has ${sizeBytes} bytes, not ${records * recordBytes}${sizeBytes < records * recordBytes ? " (cut off?)" : ""}`,
        );
    const places = new Map(files.map(({ path }, i) => [path, i * records]));
    return {
      count: files.length * records,
      height: CIFAR_SIZE,
      width: CIFAR_SIZE,
      channels: 3,
      read: (use) =>
        tree.read(new Set(places.keys()), (path, bytes) => {
          const { images, labels } = unpack(bytes, records, format.labelBytes, label);
          const wrong = labels.findIndex((value) => value >= classes);
          if (wrong !== -1)
            throw new DataError(
              `record ${wrong} of ${path} has label ${labels[wrong]}, but there are ${classes} classes`,
            );
          use(places.get(path)!, images, labels);
        }),
    };
  };
  return {
    train: splitOf(format.trainFiles, format.recordsPerTrainFile),
    test: splitOf(format.testFiles, format.recordsPerTestFile),
  };
}

function unpack(bytes: Uint8Array, records: number, labelBytes: number, label: number) {
  const images = new Uint8Array(records * PIXELS);
  const labels = new Int32Array(records);
  for (let record = 0; record < records; record++) {
    const start = record * (labelBytes + PIXELS);
    labels[record] = bytes[start + label]!;
    let to = record * PIXELS;
    for (let at = start + labelBytes, end = at + PLANE; at < end; at++) {
      images[to++] = bytes[at]!;
      images[to++] = bytes[at + PLANE]!;
      images[to++] = bytes[at + 2 * PLANE]!;
    }
  }
  return { images, labels };
}
