import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openArchive } from "../../../src/ml/data/archive.ts";
import { openFolder } from "../../../src/ml/data/file-tree.ts";
import { readNpy } from "../../../src/ml/data/npy.ts";
import { type NumpySettings, openNumpy } from "../../../src/ml/data/numpy-arrays.ts";
import { temporaryFolder } from "../../bundle-worker.ts";
import { makeZip } from "./make-archive.ts";
import { collectSplit, memoryTree } from "./memory-tree.ts";

const folder = temporaryFolder();
afterAll(folder.remove);

interface Npy {
  readonly dtype?: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly fortran?: boolean;
  readonly version?: number;
}

/** As NumPy writes it, header padded to 64 bytes. */
function npy({ dtype = "|u1", shape, data, fortran = false, version = 1 }: Npy): Buffer {
  const shapeText = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${dtype}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${shapeText}), }`;
  const before = version === 1 ? 10 : 12;
  const header = Buffer.from(
    `${dict.padEnd(Math.ceil((before + dict.length + 1) / 64) * 64 - before - 1)}\n`,
    "latin1",
  );
  const length = Buffer.alloc(before - 8);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  const arrays = {
    "|u1": () => Uint8Array.from(data),
    "|i1": () => Int8Array.from(data),
    "<u2": () => Uint16Array.from(data),
    "<i4": () => Int32Array.from(data),
    "<i8": () => BigInt64Array.from([...Array.from(data)].map(BigInt)),
    "<f4": () => Float32Array.from(data),
    "<f8": () => Float64Array.from(data),
  };
  const array = Object.hasOwn(arrays, dtype) ? arrays[dtype as keyof typeof arrays]() : Uint8Array.from(data);
  const magic = Buffer.concat([Buffer.from("\x93NUMPY", "latin1"), Buffer.of(version, 0)]);
  return Buffer.concat([magic, length, header, new Uint8Array(array.buffer)]);
}

const images = (count: number, value = 1) => npy({ shape: [count, 2, 1], data: new Array(2 * count).fill(value) });
const labels = (...data: number[]) => npy({ dtype: "<i8", shape: [data.length], data });
const set = (changed: Readonly<Record<string, Buffer | undefined>> = {}) => {
  const files = {
    "x_train.npy": images(2),
    "y_train.npy": labels(0, 1),
    "x_test.npy": images(1, 9),
    "y_test.npy": labels(1),
    ...changed,
  };
  return memoryTree(Object.fromEntries(Object.entries(files).filter(([, file]) => file !== undefined)) as never);
};
const open = (tree: Parameters<typeof openNumpy>[0], settings: Partial<NumpySettings> = {}) =>
  openNumpy(tree, { valueRange: [0, 1], ...settings });

describe("NumPy arrays", () => {
  it("are read from an NPZ file that NumPy wrote", async () => {
    const tree = await openArchive(join(import.meta.dirname, "fixtures/arrays.npz"), "arrays.npz");
    const { train, test, classNames } = await open(tree);
    expect(train).toMatchObject({ count: 3, height: 2, width: 4, channels: 3 });
    expect(await collectSplit(train)).toEqual({
      images: Uint8Array.from({ length: 72 }, (_, i) => (i * 7) % 256),
      labels: [2, 0, 1],
    });
    // np.round(x_test * 255)
    expect(await collectSplit(test)).toEqual({
      images: Uint8Array.of(
        ...[
          0, 11, 21, 32, 43, 53, 64, 74, 85, 96, 106, 117, 128, 138, 149, 159, 170, 181, 191, 202, 212, 223, 234, 244,
        ],
      ),
      labels: [1],
    });
    expect(classNames).toEqual(["0", "1", "2"]);
    const read = (path: string) =>
      readNpy({ tree, path, name: path }, async ({ shape, take }) => [...(await take(shape[0]!))]);
    expect(await read("half.npy")).toEqual([0, 1, -2.5, 65504, 2 ** -24, 0.3330078125]);
    expect(await read("big.npy")).toEqual([1, -2, 300]);
    expect(await read("doubles.npy")).toEqual([0.1, -1e300, Math.PI]);
  });

  it.each([
    ["x_train, y_train", ["x_train", "y_train", "x_test", "y_test"]],
    ["train_images, train_labels", ["train_images", "train_labels", "test_images", "test_labels"]],
    ["train/images, train/labels", ["train/images", "train/labels", "test/images", "test/labels"]],
    ["a folder around", ["set/X_train", "set/y_train", "set/X_test", "set/y_test"]],
  ])("are found under their usual names: %s", async (_what, names) => {
    const files = [images(2), labels(0, 1), images(1, 9), labels(1)];
    const tree = memoryTree(Object.fromEntries(names.map((name, i) => [`${name}.npy`, files[i]!])));
    const { train, test } = await open(tree, { classNames: ["a", "b"] });
    expect([await collectSplit(train), await collectSplit(test)]).toEqual([
      { images: Uint8Array.of(1, 1, 1, 1), labels: [0, 1] },
      { images: Uint8Array.of(9, 9), labels: [1] },
    ]);
  });

  it("are found in NPZ files of a folder, one for each part", async () => {
    const path = join(folder.path, "parts");
    mkdirSync(path);
    const zip = (x: Buffer, y: Buffer) =>
      makeZip([
        { name: "images.npy", content: x },
        { name: "labels.npy", content: y },
      ]);
    writeFileSync(join(path, "train.npz"), zip(images(2), labels(0, 1)));
    writeFileSync(join(path, "test.npz"), zip(images(1, 9), labels(1)));
    const files = ["test.npz", "train.npz"].map((name) => ({ path: name, sizeBytes: 0 }));
    const tree = openFolder("data", { files, path: (file = "") => join(path, file) });
    const { train, test } = await open(tree);
    expect((await collectSplit(train)).labels).toEqual([0, 1]);
    expect((await collectSplit(test)).images).toEqual(Uint8Array.of(9, 9));
    await expect(open(memoryTree({ "train.npz": Buffer.of(1) }))).rejects.toThrow(
      "train.npz in data is an archive in an archive",
    );
  });

  it("can be named", async () => {
    const tree = set({ "x_train.npy": undefined, "train_images.npy": images(2), "images_train.npy": images(2, 5) });
    await expect(open(tree)).rejects.toThrow("data has images_train and train_images");
    const { train } = await open(tree, { trainImages: "images_train" });
    expect((await collectSplit(train)).images[0]).toBe(5);
    await expect(open(tree, { trainImages: "x" })).rejects.toThrow("data has no array x; it holds images_train, ");
    await expect(open(set({ "x_test.npy": undefined, "y_test.npy": undefined }))).rejects.toMatchObject({
      message: "data has no array of test images under a usual name, such as x_test; it holds x_train, y_train",
      help: expect.stringContaining("save some images aside"),
    });
  });

  it.each(["|u1", "|i1", "<u2", "<i4", "<i8", "<f4", "<f8"])("of %s are pixels", async (dtype) => {
    const data = dtype.includes("f") ? [0, 1, 0.5, 0.25] : [0, 127, 1, 2];
    const { train } = await open(
      set({
        "x_train.npy": npy({ dtype, shape: [2, 1, 2, 1], data }),
        "x_test.npy": npy({ shape: [1, 1, 2], data: [1, 2] }),
      }),
    );
    expect([...(await collectSplit(train)).images]).toEqual(dtype.includes("f") ? [0, 255, 128, 64] : data);
  });

  it("of floating-point numbers are scaled as they are told to, and refused outside", async () => {
    const tree = set({ "x_train.npy": npy({ dtype: "<f4", shape: [2, 2, 1], data: [-1, 0, 1, 0.5] }) });
    const { train } = await open(tree, { valueRange: [-1, 1] });
    expect([...(await collectSplit(train)).images]).toEqual([0, 128, 255, 191]);
    await expect(collectSplit((await open(tree)).train)).rejects.toMatchObject({
      message: "x_train.npy in data has the value -1 at [0, 0, 0]: it is outside 0 to 1",
      help: expect.stringContaining("numpy.valueRange"),
    });
    const inverted = await open(set({ "x_train.npy": npy({ dtype: "<f4", shape: [2, 2, 1], data: [0, 0.5, 1, 1] }) }), {
      valueRange: [1, 0],
    });
    expect([...(await collectSplit(inverted.train)).images]).toEqual([255, 128, 0, 0]);
    const nan = await open(
      set({ "x_train.npy": npy({ dtype: "<f8", shape: [2, 2, 1], data: [0, 0, 0, Number.NaN] }) }),
    );
    await expect(collectSplit(nan.train)).rejects.toThrow("has the value NaN at [1, 1, 0]: it is not a number");
    const large = await open(set({ "x_train.npy": npy({ dtype: "<i4", shape: [2, 2, 1], data: [0, 0, 256, 0] }) }));
    await expect(collectSplit(large.train)).rejects.toThrow("has the value 256 at [1, 0, 0]: it is outside 0 to 255");
  });

  it("larger than a piece come in pieces, wherever the bytes are cut", async () => {
    // 8 bytes an element: two images of 2 MiB of elements to a piece of 4 MiB.
    const size = 512 * 512;
    const data = new Uint8Array(5 * size).map((_, i) => (i % 249) + Math.floor(i / size));
    const x = npy({ shape: [5, 512, 512], data, version: 2 });
    const tree = (bytes: number) =>
      memoryTree(
        {
          "x_train.npy": x,
          "y_train.npy": labels(0, 1, 2, 3, 4),
          "x_test.npy": npy({ shape: [1, 512, 512], data: new Uint8Array(size) }),
          "y_test.npy": labels(0),
        },
        bytes,
      );
    const pieces: number[] = [];
    const { train } = await open(tree(100_003));
    await train.read((first, some) => pieces.push(first, some.length / size));
    expect(pieces).toEqual([0, 2, 2, 2, 4, 1]);
    expect(Buffer.compare((await collectSplit(train)).images, data)).toBe(0);
  });

  it.each([
    ["no NPY file", Buffer.from("PK?whatever it may be"), "it does not begin as one does (byte 0: 504b3f776861)"],
    ["an empty one", Buffer.alloc(0), "it does not begin as one does (byte 0: the end)"],
    ["an unknown version", npy({ shape: [2, 2, 1], data: [], version: 9 }), "it is of version 9 (byte 6)"],
    ["a header cut off", images(2).subarray(0, 40), "it ends at byte 40, in its header"],
    ["Python objects", npy({ dtype: "|O", shape: [2], data: [] }), "it holds Python objects"],
    ["complex numbers", npy({ dtype: "<c16", shape: [2], data: [] }), "its elements are <c16"],
    ["Fortran's order", npy({ shape: [2, 2, 1], data: [], fortran: true }), "its elements are in Fortran's order"],
    ["flat images", npy({ shape: [2, 784], data: [] }), "has the shape (2, 784), and images have (n, height, width)"],
    ["planes", npy({ shape: [2, 3, 32, 32], data: [] }), "has the shape (2, 3, 32, 32): images have 1 or 3 channels"],
    ["no image", npy({ shape: [0, 2, 1], data: [] }), "has the shape (0, 2, 1): it holds no pixels"],
    ["other images than labels", images(3), "x_train.npy in data has 3 images, but y_train.npy in data 2 labels"],
    ["another size", npy({ shape: [2, 2, 2], data: [1, 1, 1, 1, 1, 1, 1, 1] }), "has images of 2 x 2 x 1, but"],
  ])("of %s are refused by name", async (_what, file, problem) => {
    await expect(open(set({ "x_train.npy": file }))).rejects.toThrow(/^x_train\.npy in data /);
    await expect(open(set({ "x_train.npy": file }))).rejects.toThrow(
      problem === "has images of 2 x 2 x 1, but"
        ? "x_train.npy in data has images of 2 x 2 x 1, but x_test.npy in data of 2 x 1 x 1"
        : problem,
    );
  });

  it("cut off or too long are refused with the byte", async () => {
    const cut = await open(set({ "x_train.npy": images(2).subarray(0, -1) }));
    await expect(collectSplit(cut.train)).rejects.toMatchObject({
      message: expect.stringMatching(
        /^x_train\.npy .*: it ends at byte 131, but shape \(2, 2, 1\) of \|u1 goes to byte 132$/,
      ),
      help: "it is cut off: write or copy it again",
    });
    const long = await open(set({ "x_train.npy": Buffer.concat([images(2), Buffer.of(1)]) }));
    await expect(collectSplit(long.train)).rejects.toThrow("after the last element, at byte 132, there is more");
  });

  it.each([
    ["one-hot", npy({ shape: [2, 10], data: [] }), "has the shape (2, 10), and labels have (n)", "np.argmax"],
    ["of floats", npy({ dtype: "<f4", shape: [2], data: [0, 1] }), "holds <f4, and labels are whole numbers", "astype"],
    ["of texts", npy({ dtype: "<U3", shape: [2], data: [] }), "it holds texts", "classNames"],
    ["below 0", labels(0, -1), "has the label -1 at 1", undefined],
  ])("of labels that are %s are refused with what to do", async (_what, file, problem, help) => {
    await expect(open(set({ "y_train.npy": file }))).rejects.toMatchObject({
      message: expect.stringContaining(problem),
      help: help === undefined ? undefined : expect.stringContaining(help),
    });
  });
});
