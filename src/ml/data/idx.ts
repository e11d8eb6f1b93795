/**
 * The IDX format of MNIST and its family (LeCun): a big-endian header `0 0 type dimensions`, the sizes, then the values.
 * Files may be packed with gzip, as they are usually handed out.
 */
import { gunzipSync } from "node:zlib";
import { DataError } from "./data-error.ts";
import { type FileTree, findFile } from "./file-tree.ts";

export interface IdxSplit {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** uint8 [count, height, width]. */
  readonly images: Uint8Array;
  readonly labels: Int32Array;
}

/** `train-images-idx3-ubyte` and the like, `t10k-` or `test-`, each perhaps with `.gz`. */
export async function readIdx(tree: FileTree): Promise<{ readonly train: IdxSplit; readonly test: IdxSplit }> {
  return { train: await readSplit(tree, "train", ["train"]), test: await readSplit(tree, "test", ["t10k", "test"]) };
}

async function readSplit(tree: FileTree, split: string, prefixes: readonly string[]): Promise<IdxSplit> {
  const nameOf = (what: string, dimensions: number) =>
    new RegExp(`^(${prefixes.join("|")})-${what}[-.]idx${dimensions}-ubyte(\\.gz)?$`);
  const images = await readTensor(tree, nameOf("images", 3), `${prefixes[0]}-images-idx3-ubyte`, 3);
  const labels = await readTensor(tree, nameOf("labels", 1), `${prefixes[0]}-labels-idx1-ubyte`, 1);
  const [count, height, width] = images.sizes as [number, number, number];
  if (count === 0) throw new DataError(`${images.path} in ${tree.name} holds no images`);
  if (labels.sizes[0] !== count)
    throw new DataError(`${tree.name} has ${count} ${split} images, but ${labels.sizes[0]} labels`);
  return { count, height, width, images: images.values, labels: Int32Array.from(labels.values) };
}

async function readTensor(tree: FileTree, name: RegExp, described: string, dimensions: number) {
  const { path } = findFile(tree, (fileName) => name.test(fileName), described);
  let bytes: Buffer = Buffer.alloc(0);
  await tree.read(new Set([path]), (_path, read) => {
    bytes = read;
  });
  const refuse = (problem: string): never => {
    throw new DataError(`${path} in ${tree.name} is no IDX file of bytes with ${dimensions} dimensions: ${problem}`);
  };
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: 2 ** 31 - 1 });
    } catch (error) {
      refuse((error as Error).message);
    }
  }
  const headerBytes = 4 + 4 * dimensions;
  if (bytes.length < headerBytes) refuse(`it has ${bytes.length} bytes`);
  // 8: unsigned bytes.
  if (bytes.readUInt32BE(0) !== 0x0800 + dimensions) refuse(`it begins with ${bytes.toString("hex", 0, 4)}`);
  const sizes = Array.from({ length: dimensions }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const length = sizes.reduce((product, size) => product * size, 1);
  if (bytes.length - headerBytes !== length)
    refuse(`${sizes.join(" x ")} values were announced, ${bytes.length - headerBytes} are there`);
  return { path, sizes, values: new Uint8Array(bytes.subarray(headerBytes)) };
}
