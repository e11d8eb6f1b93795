/**
 * The IDX format of MNIST and its family (LeCun): a big-endian header `0 0 type dimensions`, the sizes, then the values.
 * Files may be packed with gzip, as they are usually handed out. Images are read piece by piece.
 */
import { type ByteReader, createByteReader, gunzipped } from "./byte-reader.ts";
import { DataError } from "./data-error.ts";
import { type FileTree, findFile } from "./file-tree.ts";
import { type ImageSplit, type ImageSplits, imagesPerPiece, nameClasses } from "./image-split.ts";

/**
 * `train-images-idx3-ubyte` and the like, `t10k-` or `test-`, each perhaps with something before it (`emnist-letters-`) and
 * with `.gz`. Throws `DataError` where a file is missing or is not what it should be.
 */
export async function openIdx(tree: FileTree, classNames?: readonly string[]): Promise<ImageSplits> {
  const train = await openSplit(tree, "train", ["train"]);
  const test = await openSplit(tree, "test", ["t10k", "test"]);
  return { train, test, classNames: nameClasses(classNames, train.labels, test.labels) };
}

async function openSplit(
  tree: FileTree,
  split: string,
  prefixes: readonly string[],
): Promise<ImageSplit & { readonly labels: Int32Array }> {
  const find = (what: string, dimensions: number) => {
    const name = new RegExp(`^(.+-)?(${prefixes.join("|")})-${what}[-.]idx${dimensions}-ubyte(\\.gz)?$`);
    return findFile(tree, (fileName) => name.test(fileName), `${prefixes[0]}-${what}-idx${dimensions}-ubyte`).path;
  };
  const images = find("images", 3);
  const [count, height, width] = (await readTensor(tree, images, 3, async ({ sizes }) => sizes)) as [
    number,
    number,
    number,
  ];
  if (count === 0 || height * width === 0) throw new DataError(`${images} in ${tree.name} holds no images`);
  const labels = await readTensor(tree, find("labels", 1), 1, async ({ sizes: [length], take }) =>
    Int32Array.from(await take(length!)),
  );
  if (labels.length !== count)
    throw new DataError(`${tree.name} has ${count} ${split} images, but ${labels.length} labels`);
  const imageBytes = height * width;
  return {
    count,
    height,
    width,
    channels: 1,
    labels,
    read: (use) =>
      readTensor(tree, images, 3, async ({ take }) => {
        for (let first = 0; first < count; ) {
          const next = Math.min(count, first + imagesPerPiece(imageBytes));
          use(first, await take((next - first) * imageBytes), labels.subarray(first, next));
          first = next;
        }
      }),
  };
}

interface IdxTensor {
  readonly sizes: readonly number[];
  /** The next `count` values, all of them. */
  take(count: number): Promise<Uint8Array>;
}

/** `use` takes all values, or none. */
function readTensor<T>(
  tree: FileTree,
  path: string,
  dimensions: number,
  use: (tensor: IdxTensor) => Promise<T>,
): Promise<T> {
  const refuse = (problem: string): never => {
    throw new DataError(
      `${path} in ${tree.name} is no IDX file of bytes with ${dimensions} dimensions: ${problem}`,
      "get it again; the four files of MNIST are the form that is expected",
    );
  };
  return tree.stream(path, async (pieces) => {
    const reader = createByteReader(gunzipped(pieces));
    const take: ByteReader["take"] = async (count) => {
      try {
        return await reader.take(count);
      } catch (error) {
        throw error instanceof DataError ? error : refuse((error as Error).message);
      }
    };
    const head = await take(4);
    // 8: unsigned bytes.
    if (head.length < 4 || head.readUInt32BE(0) !== 0x0800 + dimensions)
      refuse(head.length < 4 ? `it has ${head.length} bytes` : `it begins with ${head.toString("hex")}`);
    const sizeBytes = await take(4 * dimensions);
    if (sizeBytes.length < 4 * dimensions) refuse(`it has ${reader.position()} bytes`);
    const sizes = Array.from({ length: dimensions }, (_, i) => sizeBytes.readUInt32BE(4 * i));
    const headerBytes = reader.position();
    const announced = sizes.reduce((product, size) => product * size, 1);
    const there = () => reader.position() - headerBytes;
    const used = await use({
      sizes,
      async take(count) {
        // No more than there can be is made room for: a size of billions may be a lie.
        const values = await take(Math.min(count, announced - there()));
        if (values.length < count)
          refuse(`${sizes.join(" x ")} values were announced, ${there()} are there (cut off?)`);
        return values;
      },
    });
    if (there() > 0 && (await take(1)).length > 0)
      refuse(`${sizes.join(" x ")} values were announced, and more are there`);
    return used;
  });
}
