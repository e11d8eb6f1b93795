import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { measureChannels } from "../../../src/ml/data/channel-statistics.ts";
import { type DatasetTransform, openDataset, type PixelFiles } from "../../../src/ml/data/dataset.ts";
import { createImagesWriter } from "../../../src/ml/data/dataset-writer.ts";
import { temporaryFolder } from "../../bundle-worker.ts";
import { folderSource, pixelValue, writeTinyImages, writeTinyTransform, writeTinyView } from "./tiny-dataset.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
const images = writeTinyImages(join(folder.path, "images"), { count: 7 });
const view = writeTinyView(join(folder.path, "view"), images, [6, 2, 5]);
const transform: DatasetTransform = { transforms: [{ centerCrop: 2 }], mean: [0, 0, 0], std: [1, 1, 1], seed: 1 };

describe("a dataset", () => {
  it("reads back what was written, image by image", () => {
    const dataset = openDataset(images);
    expect(dataset).toMatchObject({ length: 7, height: 4, width: 5, channels: 3, transformedSize: [4, 5] });
    expect(dataset.classNames).toEqual(["cat", "dog", "ship"]);
    expect([...dataset.labels]).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect([...dataset.image(3)]).toEqual(Array.from({ length: 60 }, (_, at) => pixelValue(3, at)));
    dataset.close();
  });

  it("sees the base's images through a view, and through a view of a view", () => {
    const dataset = openDataset(view);
    expect([...dataset.labels]).toEqual([0, 2, 2]);
    expect(dataset.image(1)[0]).toBe(pixelValue(2, 0));
    const again = openDataset(writeTinyView(join(folder.path, "again"), view, [2, 0]));
    expect([...again.labels]).toEqual([2, 0]);
    expect([0, 1].map((index) => again.image(index)[0])).toEqual([pixelValue(5, 0), pixelValue(6, 0)]);
  });

  it("carries its transform and the size that gives", () => {
    const dataset = openDataset(writeTinyTransform(join(folder.path, "transformed"), view, transform));
    expect(dataset.transform).toEqual(transform);
    expect(dataset).toMatchObject({ length: 3, height: 4, width: 5, transformedSize: [2, 2] });
  });

  it("reads pixels from shared memory as from the file", () => {
    const files: PixelFiles = new Map();
    const [whole, part] = [openDataset(images, files), openDataset(view, files)];
    expect(part.pixels).toBe(whole.pixels);
    const before = [...part.image(2)];
    whole.pixels.share(419);
    expect(whole.pixels.spec.shared).toBeUndefined();
    whole.pixels.share(420);
    expect(whole.pixels.spec.shared?.byteLength).toBe(420);
    expect([...part.image(2)]).toEqual(before);
  });

  it("shows people a card", () => {
    expect(JSON.parse(readFileSync(view.path("card.json"), "utf8"))).toEqual({
      count: 3,
      height: 4,
      width: 5,
      channels: 3,
      classes: 3,
      classNames: ["cat", "dog", "ship"],
      imagesPerClass: [1, 0, 2],
      firstLabels: ["cat", "ship", "ship"],
    });
  });

  it("refuses a view that chooses an image which is not there", () => {
    const wrong = writeTinyView(join(folder.path, "wrong"), images, [6]);
    const small = writeTinyImages(join(folder.path, "small"), { count: 2 });
    expect(() => openDataset({ ...wrong, references: { base: small } })).toThrow("no image 6 among the 2");
  });

  it("refuses a second transform on top of the first", () => {
    const once = writeTinyTransform(join(folder.path, "once"), images, transform);
    const twice = folderSource(once.path(), { base: once });
    expect(() => openDataset(twice)).toThrow("normalized again");
  });

  it("refuses what is no dataset, and one whose base is unnamed", () => {
    writeFileSync(join(folder.path, "model.json"), "{}");
    expect(() => openDataset({ ...folderSource(folder.path), files: [{ path: "model.json" }] })).toThrow(
      "no dataset: it holds model.json",
    );
    expect(() => openDataset({ ...view, references: {} })).toThrow("names no base");
  });

  it("is not finished while an image is missing", () => {
    const writer = createImagesWriter(join(folder.path), {
      count: 2,
      height: 1,
      width: 1,
      channels: 1,
      classNames: ["a"],
    });
    writer.write(1, Uint8Array.of(5), Int32Array.of(0));
    expect(() => writer.finish()).toThrow("image 0 of 2 was never written");
    writer.close();
  });
});

describe("a dataset of several shards", () => {
  /** 60 bytes an image: two to a shard. */
  const write = (name: string, count = 7) => writeTinyImages(join(folder.path, name), { count, shardBytes: 150 });
  const shard = (index: number) => `images-0000${index}-of-00004.safetensors`;

  it("has the same images, labels and card as one of a single file", () => {
    const [sharded, whole] = [write("sharded"), images];
    expect(sharded.files.map(({ path }) => path)).toEqual(["card.json", shard(1), shard(2), shard(3), shard(4)]);
    const [a, b] = [openDataset(sharded), openDataset(whole)];
    expect([...a.labels]).toEqual([...b.labels]);
    for (let index = 0; index < 7; index++) expect([...a.image(index)]).toEqual([...b.image(index)]);
    expect(readFileSync(sharded.path("card.json"))).toEqual(readFileSync(whole.path("card.json")));
    a.pixels.share(420);
    expect([...a.image(6)]).toEqual([...b.image(6)]);
    expect(measureChannels(a)).toEqual(measureChannels(b));
  });

  it("takes images in any order and across a shard's end", () => {
    const path = join(folder.path, "any-order");
    mkdirSync(path);
    const layout = { count: 5, height: 1, width: 1, channels: 1, classNames: ["a"], shardBytes: 2 };
    const writer = createImagesWriter(path, layout);
    writer.write(3, Uint8Array.of(13, 14), Int32Array.of(0, 0));
    writer.write(0, Uint8Array.of(10, 11, 12), Int32Array.of(0, 0, 0));
    writer.finish();
    writer.close();
    const dataset = openDataset(folderSource(path));
    expect([0, 1, 2, 3, 4].map((index) => dataset.image(index)[0])).toEqual([10, 11, 12, 13, 14]);
    expect(dataset.pixels.spec.shards.map(({ count }) => count)).toEqual([2, 2, 1]);
  });

  it("of one shard is the file it always was, to the byte", () => {
    const exact = writeTinyImages(join(folder.path, "exact"), { count: 7, shardBytes: 420 });
    const bytes = readFileSync(exact.path("images.safetensors"));
    expect(bytes).toEqual(readFileSync(images.path("images.safetensors")));
    // Artifacts of earlier versions have this digest.
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      "55dfd78ec876d95a0ff573d7c82c2dd60519be4e45e841d374b0e7e2e66bb55f",
    );
  });

  it("is refused where a shard is missing, or is one of other images", () => {
    const missing = write("missing");
    rmSync(missing.path(shard(3)));
    expect(() => openDataset(folderSource(missing.path()))).toThrow(`a dataset in 4 shards lacks ${shard(3)}`);
    const mixed = write("mixed");
    const other = writeTinyImages(join(folder.path, "other"), { count: 2, height: 2 });
    renameSync(other.path("images.safetensors"), mixed.path(shard(2)));
    expect(() => openDataset(folderSource(mixed.path()))).toThrow(/-00002-of-00004.* has other classes, or images of/);
  });

  it("is read with few files open, however many there are", () => {
    const source = writeTinyImages(join(folder.path, "many"), { count: 150, shardBytes: 60 });
    const dataset = openDataset(source);
    expect(dataset.pixels.spec.shards).toHaveLength(150);
    const before = readdirSync("/dev/fd").length;
    for (let index = 0; index < 150; index++) expect(dataset.image(index)[0]).toBe(pixelValue(index, 0));
    expect(dataset.image(3)[1]).toBe(pixelValue(3, 1));
    // A few more, since the test's own process may open some meanwhile.
    expect(readdirSync("/dev/fd").length - before).toBeLessThan(64 + 10);
    dataset.close();
    expect(readdirSync("/dev/fd").length - before).toBeLessThan(10);
  });
});
