import { truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, openDataset } from "../../../src/ml/data/dataset.ts";
import { createLoader, type Loader, type LoaderOptions } from "../../../src/ml/data/loader.ts";
import type { TransformSetting } from "../../../src/ml/transforms/transform-list.ts";
import { type BundledWorker, bundleWorker, temporaryFolder } from "../../bundle-worker.ts";
import { writeTinyImages, writeTinyTransform, writeTinyView } from "./tiny-dataset.ts";

const folder = temporaryFolder();
let worker: BundledWorker;
let dataset: Dataset;
beforeAll(async () => {
  worker = await bundleWorker("src/ml/data/loader-worker.ts");
  const images = writeTinyImages(join(folder.path, "images"), { count: 40, height: 6, width: 6 });
  const view = writeTinyView(
    join(folder.path, "view"),
    images,
    Array.from({ length: 23 }, (_, i) => 39 - i),
  );
  const transform = {
    transforms: [{ resize: 8 }, { randomCrop: { size: 7, padding: 1 } }, { randomHorizontalFlip: 0.5 }],
    mean: [0, 0, 0],
    std: [1, 1, 1],
    seed: 5,
  };
  dataset = openDataset(writeTinyTransform(join(folder.path, "transformed"), view, transform));
});
afterAll(() => {
  worker.remove();
  folder.remove();
});

const open = (options: Partial<LoaderOptions> = {}): Loader =>
  createLoader({
    dataset,
    batchSize: 4,
    dropLast: false,
    shuffle: true,
    seed: 3,
    purpose: "train",
    threads: 0,
    workerModule: worker.path,
    ...options,
  });

/** Copies of an epoch's batches: a batch is only valid until the next one. */
async function collect(loader: Loader, epoch: number, firstBatch?: number) {
  const batches = [];
  for await (const { images, labels, indices, shape } of loader.epoch(epoch, firstBatch))
    batches.push({ images: [...images], labels: [...labels], indices: [...indices], shape });
  return batches;
}

async function collectWith(options: Partial<LoaderOptions>, epoch: number, firstBatch?: number) {
  const loader = open(options);
  try {
    return await collect(loader, epoch, firstBatch);
  } finally {
    await loader.close();
  }
}

describe("a loader", () => {
  it("gives every image once an epoch, with its label", async () => {
    const batches = await collectWith({}, 1);
    expect(batches.map(({ shape }) => shape[0])).toEqual([4, 4, 4, 4, 4, 3]);
    expect(batches[0]!.shape).toEqual([4, 7, 7, 3]);
    const indices = batches.flatMap((batch) => batch.indices);
    expect(indices.toSorted((a, b) => a - b)).toEqual([...Array(23).keys()]);
    expect(batches.flatMap((batch) => batch.labels)).toEqual(indices.map((index) => dataset.labels[index]));
  });

  it("orders and transforms each epoch anew when it shuffles, and the passes independently", async () => {
    const [first, second, other] = [
      await collectWith({}, 1),
      await collectWith({}, 2),
      await collectWith({ purpose: "valid" }, 1),
    ];
    expect(first.flatMap((batch) => batch.indices)).not.toEqual(second.flatMap((batch) => batch.indices));
    expect(first.flatMap((batch) => batch.indices)).not.toEqual(other.flatMap((batch) => batch.indices));
    expect(await collectWith({}, 1)).toEqual(first);
  });

  it("keeps the dataset's order otherwise, and still draws each epoch's transforms", async () => {
    const [first, second] = [await collectWith({ shuffle: false }, 1), await collectWith({ shuffle: false }, 2)];
    expect(first.flatMap((batch) => batch.indices)).toEqual([...Array(23).keys()]);
    expect(first.map((batch) => batch.labels)).toEqual(second.map((batch) => batch.labels));
    expect(first.map((batch) => batch.images)).not.toEqual(second.map((batch) => batch.images));
  });

  it.each([1, 2, 3])("gives the same batches with %i threads as without", async (threads) => {
    expect(await collectWith({ threads }, 4)).toEqual(await collectWith({}, 4));
  });

  it.each([
    [0, "memory"],
    [1, "memory"],
    [3, "memory"],
    [0, "files"],
    [1, "files"],
    [3, "files"],
  ])("gives the same batches from shards as from one file (%i threads, pixels in %s)", async (threads, place) => {
    const path = join(folder.path, `shards-${threads}-${place}`);
    // 108 bytes an image: 7 shards of 6 images, the last one of 4.
    const images = writeTinyImages(path, { count: 40, height: 6, width: 6, shardBytes: 650 });
    const view = writeTinyView(`${path}-view`, images, [...dataset.rows!]);
    const sharded = openDataset(writeTinyTransform(`${path}-transformed`, view, dataset.transform!));
    expect(sharded.pixels.spec.shards).toHaveLength(7);
    if (place === "files") sharded.pixels.share = () => {};
    expect(await collectWith({ dataset: sharded, threads }, 4)).toEqual(await collectWith({}, 4));
    expect(sharded.pixels.spec.shared !== undefined).toBe(place === "memory" && threads > 0);
    sharded.close();
  });

  it("draws every random transform by epoch and image, whatever the threads, the batches and the resume", async () => {
    const transforms: TransformSetting[] = [
      { randomResizedCrop: 9 },
      { randomHorizontalFlip: 0.5 },
      { randomRotation: 20 },
      { colorJitter: 0.4 },
      { randomErasing: { probability: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 7 } },
      { cutout: { size: 3, value: [1, 2, 3] } },
    ];
    const source = writeTinyImages(join(folder.path, "all"), { count: 23, height: 12, width: 10, shardBytes: 2000 });
    const all = openDataset(
      writeTinyTransform(join(folder.path, "all-transformed"), source, { ...dataset.transform!, transforms }),
    );
    // By image, since batches differ.
    const imagesOf = (batches: Awaited<ReturnType<typeof collect>>) =>
      Object.fromEntries(
        batches.flatMap(({ images, indices }) =>
          indices.map((index, i) => [index, images.slice(i * 243, (i + 1) * 243)] as const),
        ),
      );
    const expected = imagesOf(await collectWith({ dataset: all }, 3));
    expect(Object.keys(expected)).toHaveLength(23);
    for (const options of [
      { threads: 1 },
      { threads: 4 },
      { threads: 2, batchSize: 7 },
      { shuffle: false, threads: 3 },
    ])
      expect(imagesOf(await collectWith({ dataset: all, ...options }, 3))).toEqual(expected);
    const resumed = imagesOf(await collectWith({ dataset: all, threads: 2 }, 3, 4));
    expect(Object.keys(resumed)).toHaveLength(7);
    expect(expected).toMatchObject(resumed);
    expect(imagesOf(await collectWith({ dataset: all }, 4))).not.toEqual(expected);
    all.close();
  });

  it("counts as waiting what was not ready when it was asked for", async () => {
    const inline = open({ threads: 0 });
    await collect(inline, 1);
    // Without threads every batch is made while it is waited for.
    expect(inline.waitedMs()).toBeGreaterThan(0);
    await inline.close();
    const threaded = open({ threads: 2 });
    const batches = threaded.epoch(1)[Symbol.asyncIterator]();
    await batches.next();
    // A thread has yet to start.
    expect(threaded.waitedMs()).toBeGreaterThan(0);
    await batches.return?.();
    await threaded.close();
  });

  it.each([0, 2])("goes on at any batch as if it had never stopped (%i threads)", async (threads) => {
    const whole = await collectWith({}, 2);
    expect(await collectWith({ threads }, 2, 3)).toEqual(whole.slice(3));
    expect(await collectWith({ threads }, 2, 6)).toEqual([]);
  });

  it("leaves the last small batch out when told to", async () => {
    const loader = open({ dropLast: true });
    expect([loader.batchesPerEpoch, loader.imagesPerEpoch]).toEqual([5, 20]);
    expect(await collect(loader, 1)).toHaveLength(5);
    await loader.close();
  });

  it("can leave an epoch in the middle and begin another", async () => {
    const expected = await collectWith({}, 2);
    const loader = open({ threads: 2 });
    for await (const batch of loader.epoch(1)) {
      expect(batch.labels).toHaveLength(4);
      break;
    }
    expect(await collect(loader, 2)).toEqual(expected);
    await loader.close();
  });

  it("refuses two epochs at once", async () => {
    const loader = open();
    const first = loader.epoch(1)[Symbol.asyncIterator]();
    await first.next();
    await expect(collect(loader, 2)).rejects.toThrow("in the middle of another epoch");
    await loader.close();
  });

  it("says where images do not fill a batch", () => {
    expect(() => open({ batchSize: 24, dropLast: true })).toThrow("23 images do not fill one batch of 24");
    expect(() => open({ batchSize: 0 })).toThrow("a batch size is a whole number");
  });

  it.each([0, 2])("names the image that cannot be read (%i threads)", async (threads) => {
    const path = join(folder.path, `damaged-${threads}`);
    const source = writeTinyImages(path, { count: 9 });
    const damaged = openDataset(source);
    // Only a file by position can be damaged after it was opened: shared memory holds everything.
    damaged.pixels.share = () => {};
    truncateSync(source.path("images.safetensors"), damaged.pixels.spec.shards[0]!.begin + 5 * 60 + 10);
    const loader = open({ dataset: damaged, shuffle: false, threads, batchSize: 2 });
    await expect(collect(loader, 1)).rejects.toThrow(/image 5 \(row 5, in .*images\.safetensors\): .* ended at byte/);
    await loader.close();
  });

  it("fails when a worker cannot start, and leaves nothing to wait for", async () => {
    const loader = open({ threads: 1, workerModule: join(folder.path, "missing.mjs") });
    await expect(collect(loader, 1)).rejects.toThrow("a loader thread failed");
    await expect(collect(loader, 2)).rejects.toThrow("a loader thread failed");
    await loader.close();
  });

  it("ends an epoch that is under way when it is closed", async () => {
    const loader = open({ threads: 1 });
    const batches = loader.epoch(1)[Symbol.asyncIterator]();
    await batches.next();
    await loader.close();
    await expect(
      (async () => {
        for (;;) if ((await batches.next()).done) return;
      })(),
    ).rejects.toThrow("was closed");
  });
});
