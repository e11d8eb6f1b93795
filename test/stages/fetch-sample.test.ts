/** The embedded sample through the data stages: what the quick profiles start from. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Artifact } from "../../src/contract.ts";
import { openDataset } from "../../src/ml/data/dataset.ts";
import { createLoader } from "../../src/ml/data/loader.ts";
import { fetch } from "../../stages/fetch.ts";
import { normalize } from "../../stages/normalize.ts";
import { split } from "../../stages/split.ts";
import { type BundledWorker, bundleWorker, temporaryFolder } from "../bundle-worker.ts";
import { dataBench, pathArtifact, readJson } from "./data-bench.ts";

const folder = temporaryFolder();
const bench = dataBench(folder.path);
const sample = pathArtifact(join(import.meta.dirname, "../../pipelines/data/cifar10-sample.tar.gz"));
let decode: BundledWorker;
let data: Readonly<Record<string, Artifact>>;
beforeAll(async () => {
  decode = await bundleWorker("src/ml/data/decode-worker.ts");
  const params = { dataset: "imageFolder", labels: "fine", sources: [], channels: 3 } as const;
  const run = await bench.run(
    fetch,
    { ...params, sources: [] },
    { source: sample },
    { threads: 2, asset: decode.path },
  );
  data = run.outputs;
});
afterAll(() => {
  decode.remove();
  folder.remove();
});

test("holds 5,000 and 1,000 images of 32 x 32 pixels, evenly", () => {
  for (const [name, perClass] of [
    ["train", 500],
    ["test", 100],
  ] as const)
    expect(readJson(data[name]!, "card.json")).toMatchObject({
      count: 10 * perClass,
      height: 32,
      width: 32,
      channels: 3,
      imagesPerClass: Array(10).fill(perClass),
      classNames: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    });
});

test("splits, normalizes and loads", async () => {
  const parts = (
    await bench.run(
      split,
      { fractions: { train: 0.9, valid: 0.1 }, shuffle: "stratified", seed: 1 },
      { data: data.train! },
    )
  ).outputs;
  expect(readJson(parts.valid!, "card.json")).toMatchObject({ count: 500, imagesPerClass: Array(10).fill(50) });
  const params = {
    train: [{ resize: 40 }, { randomCrop: 36 }],
    eval: [{ resize: 40 }, { centerCrop: 36 }],
    mean: "measured",
    std: "measured",
    override: {},
    seed: 1,
  } as const;
  const { outputs } = await bench.run(
    normalize,
    { ...params, train: [...params.train], eval: [...params.eval] },
    { train: parts.train!, valid: parts.valid!, test: data.test! },
  );
  // CIFAR-10's channels are at 0.4914 0.4822 0.4465 and 0.2470 0.2435 0.2616 over all 50,000 images.
  const statistics = readJson(outputs.stats!, "statistics.json") as Record<
    string,
    { mean: number[]; std: number[]; count: number }
  >;
  expect(statistics.train!.count).toBe(4500);
  for (const [channel, mean] of [0.4914, 0.4822, 0.4465].entries())
    expect(statistics.train!.mean[channel]).toBeCloseTo(mean, 1.5);
  for (const [channel, std] of [0.247, 0.2435, 0.2616].entries())
    expect(statistics.train!.std[channel]).toBeCloseTo(std, 1.5);
  const dataset = openDataset(outputs.train!);
  const loader = createLoader({
    dataset,
    batchSize: 32,
    dropLast: true,
    shuffle: true,
    seed: 1,
    purpose: "train",
    threads: 0,
  });
  for await (const { shape } of loader.epoch(1)) {
    expect(shape).toEqual([32, 36, 36, 3]);
    break;
  }
  await loader.close();
});
