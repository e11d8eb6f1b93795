import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
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
