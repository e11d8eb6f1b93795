import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openArchive } from "../../../src/ml/data/archive.ts";
import {
  CIFAR10,
  CIFAR10_CLASSES,
  CIFAR100,
  CIFAR100_COARSE_CLASSES,
  CIFAR100_FINE_CLASSES,
  type CifarFormat,
  openCifar,
} from "../../../src/ml/data/cifar.ts";
import { openDataset } from "../../../src/ml/data/dataset.ts";
import type { DecodeSettings } from "../../../src/ml/data/decode-image.ts";
import { createDecoder, type Decoder } from "../../../src/ml/data/decoder.ts";
import type { FileTree } from "../../../src/ml/data/file-tree.ts";
import { openIdx } from "../../../src/ml/data/idx.ts";
import { findImages, writeImageFolder } from "../../../src/ml/data/image-folder.ts";
import { planResize, resize } from "../../../src/ml/transforms/resize.ts";
import { type BundledWorker, bundleWorker, temporaryFolder } from "../../bundle-worker.ts";
import { makeTar } from "./make-archive.ts";
import { collectSplit, memoryTree } from "./memory-tree.ts";
import { folderSource } from "./tiny-dataset.ts";

const folder = temporaryFolder();
let worker: BundledWorker;
beforeAll(async () => {
  worker = await bundleWorker("src/ml/data/decode-worker.ts");
});
afterAll(() => {
  worker.remove();
  folder.remove();
});

describe("CIFAR", () => {
  const tiny = (format: CifarFormat): CifarFormat => ({ ...format, recordsPerTrainFile: 2, recordsPerTestFile: 1 });
  /** Records whose pixel (y, x) of plane p is 3 p + y + x + its label. */
  const records = (labels: readonly (readonly number[])[]) =>
    Buffer.concat(
      labels.map((label) => {
        const pixels = Uint8Array.from(
          { length: 3072 },
          (_, i) => 3 * Math.floor(i / 1024) + (Math.floor(i / 32) % 32) + (i % 32) + label.at(-1)!,
        );
        return Buffer.concat([Uint8Array.from(label), pixels]);
      }),
    );
  const collect = collectSplit;
  const cifar10 = (changed: Record<string, Uint8Array> = {}) =>
    memoryTree({
      // Not in the official order, as a tar may be.
      "cifar-10-batches-bin/test_batch.bin": records([[9]]),
      ...Object.fromEntries(
        [3, 1, 2, 5, 4].map((n) => [`cifar-10-batches-bin/data_batch_${n}.bin`, records([[n], [n + 1]])]),
      ),
      "cifar-10-batches-bin/readme.html": Buffer.from("<html>"),
      ...changed,
    });

  it("has its classes", () => {
    expect([CIFAR10_CLASSES, CIFAR100_FINE_CLASSES, CIFAR100_COARSE_CLASSES].map(({ length }) => length)).toEqual([
      10, 100, 20,
    ]);
    for (const names of [CIFAR100_FINE_CLASSES, CIFAR100_COARSE_CLASSES]) expect([...names].sort()).toEqual(names);
  });

  it("is put in order, plane by plane into pixels", async () => {
    const { train, test } = openCifar(cifar10(), tiny(CIFAR10), 0, 10);
    const { images, labels } = await collect(train);
    expect(labels).toEqual([1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
    const at = (image: number, y: number, x: number) => [
      ...images.subarray(image * 3072 + (y * 32 + x) * 3).subarray(0, 3),
    ];
    expect(at(9, 31, 2)).toEqual([39, 42, 45]);
    expect(at(0, 0, 0)).toEqual([1, 4, 7]);
    expect((await collect(test)).labels).toEqual([9]);
  });

  it("of 100 classes has coarse and fine labels", async () => {
    const tree = memoryTree({
      "train.bin": records([
        [7, 70],
        [8, 99],
      ]),
      "test.bin": records([[19, 3]]),
    });
    expect((await collect(openCifar(tree, tiny(CIFAR100), 0, 20).train)).labels).toEqual([7, 8]);
    expect((await collect(openCifar(tree, tiny(CIFAR100), 1, 100).train)).labels).toEqual([70, 99]);
  });

  it("is refused where a file is cut off, missing or mislabelled, by its name", async () => {
    const open = (changed: Record<string, Uint8Array>) => openCifar(cifar10(changed), tiny(CIFAR10), 0, 10);
    const name = "cifar-10-batches-bin/data_batch_4.bin";
    expect(() => open({ [name]: new Uint8Array(6145) })).toThrow(`${name} in data has 6145 bytes, not 6146 (cut off?)`);
    expect(() => open({ [name]: new Uint8Array(9219) })).toThrow("has 9219 bytes, not 6146");
    expect(() => open({ "elsewhere/data_batch_4.bin": new Uint8Array(6146) })).toThrow(
      "data has data_batch_4.bin twice",
    );
    expect(() => openCifar(memoryTree({ a: Buffer.of(1) }), CIFAR10, 0, 10)).toThrow(
      "data has no data_batch_1.bin; it holds a",
    );
    await expect(collect(open({ [name]: records([[4], [10]]) }).train)).rejects.toThrow(
      `record 1 of ${name} has label 10, but there are 10 classes`,
    );
  });

  it("in its version for Python is recognised", () => {
    const tree = memoryTree({ "cifar-10-batches-py/data_batch_1": Buffer.of(1) });
    expect(() => openCifar(tree, CIFAR10, 0, 10)).toThrow("data is the version of CIFAR for Python");
  });
});

describe("IDX", () => {
  const idx = (sizes: readonly number[], values: readonly number[]) => {
    const header = Buffer.alloc(4 + 4 * sizes.length);
    header.writeUInt32BE(0x0800 + sizes.length, 0);
    for (const [i, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * i);
    return Buffer.concat([header, Uint8Array.from(values)]);
  };
  const mnist = (changed: Record<string, Uint8Array> = {}) =>
    memoryTree({
      "train-images-idx3-ubyte.gz": gzipSync(idx([2, 1, 3], [1, 2, 3, 4, 5, 6])),
      "train-labels-idx1-ubyte": idx([2], [7, 0]),
      "t10k-images.idx3-ubyte": idx([1, 1, 3], [9, 8, 7]),
      "t10k-labels.idx1-ubyte": idx([1], [4]),
      ...changed,
    });

  it("is read, packed or not", async () => {
    const { train, test, classNames } = await openIdx(mnist());
    expect(train).toMatchObject({ count: 2, height: 1, width: 3, channels: 1 });
    expect(await collectSplit(train)).toEqual({ images: Uint8Array.of(1, 2, 3, 4, 5, 6), labels: [7, 0] });
    expect(await collectSplit(test)).toEqual({ images: Uint8Array.of(9, 8, 7), labels: [4] });
    expect(classNames).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });

  it("is read under the names of the whole family", async () => {
    const tree = memoryTree({
      "gzip/emnist-digits-train-images-idx3-ubyte.gz": gzipSync(idx([1, 1, 1], [1])),
      "gzip/emnist-digits-train-labels-idx1-ubyte.gz": gzipSync(idx([1], [2])),
      "gzip/emnist-digits-test-images-idx3-ubyte.gz": gzipSync(idx([1, 1, 1], [3])),
      "gzip/emnist-digits-test-labels-idx1-ubyte.gz": gzipSync(idx([1], [1])),
    });
    const { train, test, classNames } = await openIdx(tree, ["a", "b", "c"]);
    expect([await collectSplit(train), await collectSplit(test)]).toEqual([
      { images: Uint8Array.of(1), labels: [2] },
      { images: Uint8Array.of(3), labels: [1] },
    ]);
    expect(classNames).toEqual(["a", "b", "c"]);
    await expect(openIdx(tree, ["a", "b"])).rejects.toThrow("there are 2 class names, but the labels go up to 2");
  });

  it("comes in pieces where it is large", async () => {
    // 3 images of 2 MiB: two to a piece of 4 MiB.
    const [size, count] = [2 ** 21, 3];
    const pixels = new Uint8Array(count * size).map((_, i) => (i / size) & 255);
    const tree = mnist({
      "train-images-idx3-ubyte.gz": gzipSync(
        Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 8, 0, 0, 0, 4, 0]), pixels]),
      ),
      "train-labels-idx1-ubyte": idx([count], [0, 1, 2]),
    });
    const pieces: unknown[] = [];
    await (await openIdx(tree)).train.read((first, images, labels) =>
      pieces.push([first, images.length, images[0], images.at(-1), [...labels]]),
    );
    expect(pieces).toEqual([
      [0, 2 * size, 0, 1, [0, 1]],
      [2, size, 2, 2, [2]],
    ]);
  });

  it("that contradicts itself is refused, by the file's name", async () => {
    const labels = "train-labels-idx1-ubyte";
    await expect(openIdx(mnist({ [labels]: idx([3], [1, 2, 3]) }))).rejects.toThrow("2 train images, but 3 labels");
    await expect(openIdx(mnist({ [labels]: idx([3], [1, 2]) }))).rejects.toThrow(
      "3 values were announced, 2 are there (cut off?)",
    );
    await expect(openIdx(mnist({ [labels]: idx([2], [1, 2, 3]) }))).rejects.toThrow(
      "2 values were announced, and more are there",
    );
    await expect(openIdx(mnist({ [labels]: idx([1, 2], [1, 2]) }))).rejects.toThrow(`${labels} in data is no IDX file`);
    await expect(openIdx(mnist({ [labels]: Buffer.of(0, 0) }))).rejects.toThrow("it has 2 bytes");
    await expect(openIdx(mnist({ [labels]: gzipSync(idx([2], [1, 2])).subarray(0, 20) }))).rejects.toThrow(
      "unexpected end",
    );
    // A size of billions is believed only as far as there are bytes.
    await expect(openIdx(mnist({ [labels]: idx([0xffffffff], [1, 2]) }))).rejects.toThrow(
      "4294967295 values were announced, 2 are there",
    );
    const images = "train-images-idx3-ubyte.gz";
    const { train } = await openIdx(mnist({ [images]: gzipSync(idx([2, 1, 3], [1, 2, 3, 4, 5])) }));
    await expect(collectSplit(train)).rejects.toThrow(
      `${images} in data is no IDX file of bytes with 3 dimensions: 2 x 1 x 3 values were announced, 5 are there`,
    );
    await expect(openIdx(memoryTree({}))).rejects.toThrow("data has no train-images-idx3-ubyte; it is empty");
  });
});

describe("image folders", () => {
  /** A picture whose colour says which it is; lossless. */
  const picture = (value: number, { height = 3, width = 4 } = {}) =>
    sharp({ create: { width, height, channels: 3, background: { r: value, g: 2 * value, b: 255 - value } } })
      .png()
      .toBuffer();

  async function read(
    files: Readonly<Record<string, Uint8Array>>,
    settings: Partial<DecodeSettings> = {},
    threads = 0,
  ) {
    const tree = memoryTree(files);
    const folders = { train: join(folder.path, `train-${++runs}`), test: join(folder.path, `test-${runs}`) };
    for (const path of Object.values(folders)) mkdirSync(path);
    const decoder = await createDecoder({ channels: 3, ...settings, threads, workerModule: worker.path });
    try {
      let done = 0;
      const images = findImages(tree);
      await writeImageFolder({
        tree,
        images,
        decoder,
        folders,
        signal: new AbortController().signal,
        onImage: () => done++,
      });
      expect(done).toBe(images.train.length + images.test.length);
    } finally {
      await decoder.close();
    }
    return { train: openDataset(folderSource(folders.train)), test: openDataset(folderSource(folders.test)) };
  }
  let runs = 0;
  const some = async (changed: Record<string, Uint8Array> = {}) => ({
    "set/train/dog/b.png": await picture(20),
    "set/test/cat/a.png": await picture(40),
    "set/train/dog/B.png": await picture(10),
    "set/train/cat/sub/z.png": await picture(30),
    "set/train/cat-2/z.png": await picture(35),
    "set/train/dog/.hidden.png": Buffer.of(1),
    "set/train/dog/notes.txt": Buffer.from("no image"),
    "set/readme.md": Buffer.from("no image"),
    "__MACOSX/set/train/dog/._b.png": Buffer.of(1),
    ...changed,
  });

  it.each([0, 2])("become datasets in code-unit order of class and path (%i threads)", async (threads) => {
    const { train, test } = await read(await some(), {}, threads);
    expect(train).toMatchObject({ length: 4, height: 3, width: 4, channels: 3, classNames: ["cat", "cat-2", "dog"] });
    expect([...train.labels]).toEqual([0, 1, 2, 2]);
    expect([0, 1, 2, 3].map((index) => [...train.image(index).subarray(0, 3)])).toEqual([
      [30, 60, 225],
      [35, 70, 220],
      [10, 20, 245],
      [20, 40, 235],
    ]);
    expect([...test.labels]).toEqual([0]);
    expect([...test.image(0).subarray(33)]).toEqual([40, 80, 215]);
  });

  it("of any number hold few images in memory at once", async () => {
    // What is read but not yet written, from files of 300 images; the decoder takes 5 at once.
    let [held, most, decoded] = [0, 0, 0];
    const names = Array.from(
      { length: 300 },
      (_, i) => `${i < 280 ? "train" : "test"}/a/${String(i).padStart(3, "0")}.png`,
    );
    const tree: FileTree = {
      ...memoryTree(Object.fromEntries(names.map((name) => [name, Buffer.of(1)]))),
      async read(wanted, use) {
        for (const path of names) {
          expect(wanted.has(path)).toBe(true);
          most = Math.max(most, ++held);
          await use(path, Buffer.of(1));
        }
      },
    };
    const decoder: Decoder = {
      width: 5,
      async decode() {
        // Later ones come first, as from several threads.
        for (let turn = 0; turn < 7 - (decoded++ % 7); turn++) await new Promise(setImmediate);
        return { data: Uint8Array.of(decoded & 255), height: 1, width: 1, channels: 1 };
      },
      close: async () => {},
    };
    const folders = { train: join(folder.path, "bounded-train"), test: join(folder.path, "bounded-test") };
    for (const path of Object.values(folders)) mkdirSync(path);
    const onImage = () => held--;
    const images = findImages(tree);
    await writeImageFolder({ tree, images, decoder, folders, signal: new AbortController().signal, onImage });
    expect(held).toBe(0);
    expect(most).toBeLessThanOrEqual(5 + 1);
    expect(openDataset(folderSource(folders.train)).length).toBe(280);
  });

  it("count what they left out", async () => {
    expect(findImages(memoryTree(await some())).ignored).toBe(2);
  });

  it("come out of an archive as out of a folder", async () => {
    const tar = await makeTar(Object.entries(await some()).map(([name, content]) => ({ name, content })));
    const path = join(folder.path, "set.tar.gz");
    writeFileSync(path, gzipSync(tar));
    const tree = await openArchive(path, "set");
    expect(findImages(tree)).toEqual({ ...findImages(memoryTree(await some())) });
  });

  it.each([0, 1])("with a damaged image are refused, by its name (%i threads)", async (threads) => {
    const jpeg = await sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: "#123456",
        noise: { type: "gaussian", mean: 128, sigma: 30 },
      },
    })
      .jpeg()
      .toBuffer();
    const whole = { "train/a/1.jpg": jpeg, "test/a/1.jpg": jpeg };
    await read(whole, {}, threads);
    for (const damaged of [
      jpeg.subarray(0, jpeg.length - 200),
      jpeg.subarray(0, 100),
      Buffer.from("<svg/>"),
      Buffer.alloc(0),
    ])
      await expect(read({ ...whole, "train/a/2.jpg": damaged }, {}, threads)).rejects.toThrow(
        "train/a/2.jpg in data cannot be decoded: ",
      );
  });

  it("of different sizes are refused, unless they are brought to one", async () => {
    const mixed = await some({ "set/train/dog/large.png": await picture(50, { height: 8, width: 6 }) });
    await expect(read(mixed)).rejects.toThrow(
      "set/train/dog/large.png in data has 8 x 6 pixels, but set/train/dog/b.png has 3 x 4",
    );
    const { train } = await read(mixed, { size: [5, 5] });
    expect(train).toMatchObject({ length: 5, height: 5, width: 5 });
    expect([...train.image(4).subarray(0, 3)]).toEqual([50, 100, 205]);
  });

  it("are resized with Pillow's filter, not sharp's", async () => {
    const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);
    const image = await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
      .png()
      .toBuffer();
    const { train } = await read({ "train/a/1.png": image, "test/a/1.png": image }, { size: [5, 3] });
    const expected = resize({ data: pixels, height: 8, width: 8, channels: 3 }, planResize([8, 8], [5, 3]));
    expect([...train.image(0)]).toEqual([...expected.data]);
  });

  it("become grey by Pillow's formula, and grey ones coloured", async () => {
    const grey = await sharp(Buffer.of(0, 100, 200, 255), { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toBuffer();
    const coloured = await sharp(Buffer.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 34, 56), {
      raw: { width: 2, height: 2, channels: 3 },
    })
      .png()
      .toBuffer();
    const files = { "train/a/1.png": grey, "test/a/1.png": coloured };
    const three = await read(files);
    expect([...three.train.image(0)]).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255]);
    const one = await read(files, { channels: 1 });
    expect(one.train.channels).toBe(1);
    expect([...one.train.image(0)]).toEqual([0, 100, 200, 255]);
    // PIL.Image.convert("L") of red, green, blue and (12, 34, 56).
    expect([...one.test.image(0)]).toEqual([76, 150, 29, 30]);
  });

  it("lose transparency and 16 bits", async () => {
    const clear = await sharp(Buffer.of(1, 2, 3, 0, 4, 5, 6, 128), { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const deep = await sharp({ create: { width: 2, height: 1, channels: 3, background: "#102030" } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    const { train, test } = await read({ "train/a/1.png": clear, "test/a/1.png": deep });
    expect([...train.image(0)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...test.image(0)]).toEqual([16, 32, 48, 16, 32, 48]);
  });

  it("without a split, with two, or with an unknown class are refused", async () => {
    const file = Buffer.of(1);
    const find =
      (...paths: string[]) =>
      () =>
        findImages(memoryTree(Object.fromEntries(paths.map((path) => [path, file]))));
    expect(find("cats/1.jpg")).toThrow("data has no images under train/<class>/; it holds cats/1.jpg");
    expect(find("train/a/1.jpg")).toThrow("data has no images under test/<class>/");
    expect(find("train/a/1.jpg", "old/train/a/1.jpg", "test/a/1.jpg")).toThrow("data has images in two places");
    expect(find("train/a/1.jpg", "test/b/1.jpg")).toThrow('test images of the class "b", but no such train images');
  });
});
