/**
 * From files to images that can be trained on: `fetch`, `split` and `normalize`, each and together, with what each refuses.
 * Longer than most files because each kind of source is written out where it is tested.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { type Artifact, type Facts, StageFailure } from "../../src/contract.ts";
import { openDataset } from "../../src/ml/data/dataset.ts";
import { fetch } from "../../stages/fetch.ts";
import { normalize } from "../../stages/normalize.ts";
import { split } from "../../stages/split.ts";
import { writeTinyImages } from "../ml/data/tiny-dataset.ts";
import { dataBench, pathArtifact, readJson } from "./data-bench.ts";
import { type StageWorkbench, stageWorkbench } from "./stage-workbench.ts";

let workbench: StageWorkbench;
let data: Artifact;
beforeAll(() => {
  workbench = stageWorkbench();
  const folder = join(workbench.root, "data");
  writeTinyImages(folder, { count: 10 });
  data = pathArtifact(folder);
});
afterAll(() => workbench.remove());

const facts: Facts = { count: 10, height: 4, width: 5, channels: 3, classes: 3, classNames: ["cat", "dog", "ship"] };
const bench = () => dataBench(workbench.root);
const problems = (
  definition: typeof split | typeof fetch | typeof normalize,
  given: object,
  inputs: Record<string, Facts>,
) => workbench.check(definition as never, given, inputs).map(({ path, message }) => `${path}: ${message}`);

describe("split", () => {
  const run = async (given: object, input = data) =>
    (await bench().run(split, workbench.params(split as never, given), { data: input })).outputs;
  const indicesOf = (artifact: Artifact) => [...openDataset(artifact).rows!];

  it("divides without losing or doubling an image, and builds upon its input", async () => {
    const outputs = await run({ fractions: { train: 0.5, valid: 0.3, test: 0.2 }, seed: 4 });
    expect(Object.keys(outputs).sort()).toEqual(["test", "train", "valid"]);
    expect(Object.values(outputs).map(({ references }) => references.base)).toEqual([data, data, data]);
    const all = ["valid", "test", "train"].flatMap((name) => indicesOf(outputs[name]!));
    expect(all.toSorted((a, b) => a - b)).toEqual([...Array(10).keys()]);
    expect(indicesOf(outputs.valid!)).toHaveLength(3);
    expect(indicesOf(outputs.test!)).toHaveLength(2);
    expect(
      await run({ fractions: { valid: 0.3, test: 0.2, train: 0.5 }, seed: 4 }).then(({ test }) => indicesOf(test!)),
    ).toEqual(indicesOf(outputs.test!));
  });

  it("keeps the order when told to: valid, test, others, train", async () => {
    const outputs = await run({
      fractions: { train: 0.4, b: 0.1, test: 0.2, valid: 0.2, a: 0.1 },
      shuffle: "none",
      seed: 0,
    });
    expect(["valid", "test", "a", "b", "train"].map((name) => indicesOf(outputs[name]!))).toEqual([
      [0, 1],
      [2, 3],
      [4],
      [5],
      [6, 7, 8, 9],
    ]);
  });

  it("gives every class its share, in an order that depends on the seed", async () => {
    const folder = join(workbench.root, "even");
    writeTinyImages(folder, { count: 30 });
    const parts = async (seed: number) =>
      run({ fractions: { train: 0.5, valid: 0.5 }, shuffle: "stratified", seed }, pathArtifact(folder));
    const first = await parts(1);
    expect(readJson(first.valid!, "card.json")).toMatchObject({ imagesPerClass: [5, 5, 5] });
    expect(indicesOf(first.valid!)).toEqual(indicesOf(first.valid!).toSorted((a, b) => a - b));
    expect(new Set([...indicesOf(first.valid!), ...indicesOf(first.train!)]).size).toBe(30);
    expect(indicesOf((await parts(1)).valid!)).toEqual(indicesOf(first.valid!));
    expect(indicesOf((await parts(2)).valid!)).not.toEqual(indicesOf(first.valid!));
  });

  it("rounds stratified shares so that the parts have the promised size", async () => {
    // 4, 3, 3 images of the classes: a third of each is 1.33, 1, 1, and floor(10/3) is 3.
    const outputs = await run({ fractions: { train: 2 / 3, valid: 1 / 3 }, shuffle: "stratified", seed: 1 });
    expect(readJson(outputs.valid!, "card.json")).toMatchObject({ count: 3, imagesPerClass: [1, 1, 1] });
  });

  it("knows its parts before it runs", () => {
    const params = workbench.params(split, { fractions: { train: 0.9, valid: 0.1 }, seed: 1 });
    expect(split.describe!({ params, inputs: { data: facts } })).toEqual({
      train: { ...facts, count: 9 },
      valid: { ...facts, count: 1 },
    });
    expect(split.describe!({ params, inputs: { data: {} } })).toEqual({ train: {}, valid: {} });
  });

  it("refuses fractions that cannot be", () => {
    const check = (fractions: object, seed = 1) => problems(split, { fractions, seed }, { data: facts });
    expect(check({ train: 0.7, valid: 0.2, test: 0.1 })).toEqual([]);
    expect(check({ train: 0.9, valid: 0.2 })).toEqual(["with.fractions: the fractions add up to 1.1, not to 1"]);
    expect(check({ train: 0.95, valid: 0.05 })).toEqual([
      'with.fractions.valid: the part "valid" of 10 images would be empty',
    ]);
    expect(check({ train: 0.5, valid: 0.5 }, 2 ** 32)).toEqual([
      "with.seed: NumPy takes seeds up to 4294967295, not 4294967296",
    ]);
    expect(() => check({ train: 1, valid: 0 })).toThrow("must be > 0");
    expect(() => check({ valid: 1 })).toThrow("must have required property 'train'");
  });

  it("fails where a part turns out empty", async () => {
    await expect(run({ fractions: { train: 0.95, valid: 0.05 }, seed: 1 })).rejects.toThrow(
      'the part "valid" of 10 images',
    );
  });
});

describe("normalize", () => {
  const run = (given: object, inputs: Record<string, Artifact>) =>
    bench().run(normalize, workbench.params(normalize as never, given), inputs);

  it("puts the train transforms on train and the eval ones on all others", async () => {
    const given = { train: [{ randomCrop: 3 }], eval: [{ centerCrop: 2 }], seed: 6 };
    const { outputs } = await run(given, { train: data, probe: data });
    expect(Object.keys(outputs).sort()).toEqual(["probe", "stats", "train"]);
    const [train, probe] = [openDataset(outputs.train!), openDataset(outputs.probe!)];
    expect([train.transformedSize, probe.transformedSize]).toEqual([
      [3, 3],
      [2, 2],
    ]);
    expect(train.transform).toMatchObject({ transforms: [{ randomCrop: 3 }], seed: 6 });
    expect(readJson(outputs.train!, "card.json")).toMatchObject({
      count: 10,
      height: 3,
      width: 3,
      storedSize: [4, 5],
      firstLabels: ["cat", "dog", "ship", "cat", "dog", "ship", "cat", "dog", "ship", "cat"],
    });
    expect(outputs.train!.files.map(({ path }) => path)).toEqual(["card.json", "transform.json"]);
  });

  it("measures each input's channels, and takes train's where nothing is declared", async () => {
    const { outputs } = await run({ seed: 1 }, { train: data, probe: data });
    const dataset = openDataset(data);
    const values = [0, 1, 2].map((channel) =>
      [...Array(10).keys()].flatMap((index) =>
        [...dataset.image(index)].filter((_, at) => at % 3 === channel).map((value) => value / 255),
      ),
    );
    const mean = values.map((channel) => channel.reduce((sum, value) => sum + value, 0) / channel.length);
    const std = values.map((channel, c) =>
      Math.sqrt(channel.reduce((sum, value) => sum + (value - mean[c]!) ** 2, 0) / channel.length),
    );
    const near = {
      mean: mean.map((value) => expect.closeTo(value, 12)),
      std: std.map((value) => expect.closeTo(value, 12)),
    };
    expect(readJson(outputs.stats!, "statistics.json")).toEqual({
      train: { ...near, count: 10 },
      probe: { ...near, count: 10 },
    });
    expect(openDataset(outputs.probe!).transform).toMatchObject(near);
  });

  it("takes declared values, other ones for a single input, and warns where they are far off", async () => {
    const declared = { mean: [0.5, 0.5, 0.5], std: [0.29, 0.29, 0.29], seed: 1 };
    const near = await run(declared, { train: data });
    expect(near.warnings).toEqual([]);
    expect(openDataset(near.outputs.train!).transform).toMatchObject({
      mean: [0.5, 0.5, 0.5],
      std: [0.29, 0.29, 0.29],
    });
    const far = await run({ ...declared, override: { test: { mean: [0.1, 0.5, 0.5] } } }, { train: data, test: data });
    expect(openDataset(far.outputs.test!).transform).toMatchObject({ mean: [0.1, 0.5, 0.5], std: [0.29, 0.29, 0.29] });
    expect(far.warnings).toEqual([
      expect.stringMatching(
        /^test: declared mean \[0.1, 0.5, 0.5\] and std \[0.29, 0.29, 0.29\] are far from the measured mean \[0\.\d+, /,
      ),
    ]);
  });

  it("knows the transformed size before it runs", () => {
    const params = workbench.params(normalize, { train: [{ resize: 8 }, { randomCrop: 7 }], seed: 1 });
    const size = { height: 4, width: 5 };
    expect(
      normalize.describe!({ params, inputs: { train: { ...size, count: 3 }, test: size, blind: { classes: 2 } } }),
    ).toEqual({
      train: { height: 7, width: 7, count: 3 },
      test: size,
      blind: { classes: 2 },
    });
  });

  it("refuses what cannot be, where it was written", () => {
    const check = (given: object, inputs: Record<string, Facts> = { train: facts }) =>
      problems(normalize, { seed: 1, ...given }, inputs);
    expect(check({})).toEqual([]);
    expect(check({ train: [{ resize: 4 }, { randomCrop: 110 }] })).toEqual([
      "with.train.1: input train: randomCrop takes 110 x 110 pixels, but the image is 4 x 5 there",
    ]);
    expect(check({ eval: [{ centerCrop: 5 }] }, { train: facts, valid: facts, test: facts })).toEqual([
      "with.eval.0: input valid: centerCrop takes 5 x 5 pixels, but the image is 4 x 5 there",
    ]);
    expect(check({ mean: [0.5], override: { train: { std: [1, 1, 1, 1] }, tset: {} } })).toEqual([
      'with.override.tset: there is no input named "tset"',
      "with.mean: mean has 1 number, but the images of train have 3 channels",
      "with.override.train.std: std has 4 numbers, but the images of train have 3 channels",
    ]);
    expect(check({ std: [1, 1, 1] }, { test: facts })).toEqual(["with.mean: there is no input `train` to measure"]);
    expect(check({}, {})).toContain("inputs: there is no dataset to normalize");
    expect(check({}, { train: facts, stats: facts })).toEqual([
      expect.stringContaining("inputs.stats: an input named"),
    ]);
    expect(() => check({ train: [{ resize: 3, centerCrop: 2 }] })).toThrow("NOT have more than 1 properties");
  });

  it("fails on a channel without any variation", async () => {
    const folder = join(workbench.root, "flat");
    mkdirSync(join(folder, "train/a"), { recursive: true });
    mkdirSync(join(folder, "test/a"), { recursive: true });
    const black = await sharp({ create: { width: 2, height: 2, channels: 3, background: "#000" } })
      .png()
      .toBuffer();
    for (const name of ["train", "test"]) writeFileSync(join(folder, name, "a/1.png"), black);
    const { outputs } = await bench().run(fetch, workbench.params(fetch as never, { dataset: "imageFolder" }), {
      source: pathArtifact(folder),
    });
    await expect(run({ seed: 1 }, { train: outputs.train! })).rejects.toThrow("its deviation is 0");
  });
});

test("a dataset in shards is split, measured and normalized as the same images in one file", async () => {
  const folder = join(workbench.root, "sharded");
  // 60 bytes an image: three to a shard.
  writeTinyImages(folder, { count: 10, shardBytes: 200 });
  const sharded = pathArtifact(folder);
  expect(sharded.files).toHaveLength(5);
  const results = [];
  for (const input of [sharded, data]) {
    const parts = await bench().run(
      split,
      workbench.params(split, { fractions: { train: 0.6, valid: 0.4 }, shuffle: "stratified", seed: 2 }),
      { data: input },
    );
    const { train, valid } = parts.outputs as { train: Artifact; valid: Artifact };
    const seen = await bench().run(normalize, workbench.params(normalize, { seed: 1 }), { train, valid });
    const dataset = openDataset(seen.outputs.train!);
    results.push({
      files: [...train.files, ...valid.files],
      cards: [readJson(train, "card.json"), readJson(seen.outputs.valid!, "card.json")],
      statistics: readJson(seen.outputs.stats!, "statistics.json"),
      images: Array.from(dataset.labels, (label, index) => [label, ...dataset.image(index)]),
    });
  }
  expect(results[0]).toEqual(results[1]);
});

test("a dataset that is none, or contradicts itself, fails a stage without a stack", async () => {
  const failures = async (input: Artifact) =>
    Promise.all(
      [
        () => bench().run(split, workbench.params(split, { fractions: { train: 1 }, seed: 1 }), { data: input }),
        () => bench().run(normalize, workbench.params(normalize, { seed: 1 }), { train: input }),
      ].map((run) => run().catch((thrown: unknown) => thrown)),
    );
  const folder = join(workbench.root, "none");
  mkdirSync(folder);
  writeFileSync(join(folder, "notes.txt"), "");
  const once = await bench().run(normalize, workbench.params(normalize, { seed: 1 }), { train: data });
  const twice = pathArtifact(join(once.outputs.train!.path("transform.json"), ".."), { base: once.outputs.train! });
  const [nothing, doubled] = [await failures(pathArtifact(folder)), await failures(twice)];
  for (const error of [...nothing, ...doubled]) expect(error).toBeInstanceOf(StageFailure);
  expect(nothing).toMatchObject(Array(2).fill({ message: "no dataset: it holds notes.txt" }));
  expect(doubled).toMatchObject(Array(2).fill({ message: expect.stringContaining("was normalized again") }));
});

describe("fetch", () => {
  const run = (given: object, inputs: Record<string, Artifact> = {}) =>
    bench().run(fetch, workbench.params(fetch as never, given), inputs);

  it("reads a folder of IDX files and names its classes", async () => {
    const folder = join(workbench.root, "idx");
    mkdirSync(folder);
    const write = (name: string, head: readonly number[], values: readonly number[]) =>
      writeFileSync(join(folder, name), Uint8Array.from([...head, ...values]));
    write("train-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2], [1, 2, 3, 4]);
    write("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2], [2, 0]);
    write("t10k-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2], [5, 6]);
    write("t10k-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 1], [1]);
    const source = pathArtifact(folder);
    const { outputs } = await run({ dataset: "idx" }, { source });
    const train = openDataset(outputs.train!);
    expect(train).toMatchObject({ length: 2, height: 1, width: 2, channels: 1, classNames: ["0", "1", "2"] });
    expect([...train.image(1)]).toEqual([3, 4]);
    await expect(run({ dataset: "idx", classNames: ["a", "b"] }, { source })).rejects.toThrow(
      "there are 2 class names, but the labels go up to 2",
    );
  });

  it("draws images without any source", async () => {
    const synthetic = { seed: 3, trainCount: 12, testCount: 5, numClasses: 3, imageSize: [8, 10], channels: 1 };
    const given = { dataset: "synthetic", synthetic };
    const { outputs, lines } = await run(given);
    const [train, test] = [openDataset(outputs.train!), openDataset(outputs.test!)];
    const known = fetch.describe!({ params: workbench.params(fetch, given), inputs: {} });
    const classNames = ["circle", "square", "triangle"];
    expect(known).toEqual({
      train: { count: 12, height: 8, width: 10, channels: 1, classes: 3, classNames },
      test: { count: 5, height: 8, width: 10, channels: 1, classes: 3, classNames },
    });
    expect(train).toMatchObject({ length: 12, height: 8, width: 10, channels: 1, classNames });
    expect(test).toMatchObject({ length: 5, height: 8 });
    expect(lines).toEqual(["train: 12 images of 8 x 10 x 1 in 3 classes", "test: 5 images of 8 x 10 x 1 in 3 classes"]);
    expect(openDataset((await run(given)).outputs.train!).image(11)).toEqual(train.image(11));
  });

  it("refuses to draw without a seed, too many shapes, and from a source", () => {
    const check = (synthetic: object, more: object = {}, inputs: Record<string, Facts> = {}) =>
      problems(fetch, { dataset: "synthetic", synthetic, ...more }, inputs);
    expect(check({ seed: 1 })).toEqual([]);
    expect(() => check({})).toThrow("must have required property 'seed'");
    expect(() => problems(fetch, { dataset: "synthetic" }, {})).toThrow("must have required property 'synthetic'");
    expect(check({ seed: 1, numClasses: 11 })).toEqual(["with.synthetic.numClasses: there are 10 shapes, not 11"]);
    expect(check({ seed: 1, numClasses: 11, kind: "blobs" })).toEqual([]);
    expect(check({ seed: 1 }, { sources: [{ path: "/x", sha256: "0".repeat(64) }] }, { source: {} })).toEqual([
      "inputs.source: synthetic images are drawn, not read",
      "with.sources: synthetic images are drawn, not read",
    ]);
    expect(problems(fetch, { dataset: "cifar10", synthetic: { seed: 1 } }, {})).toEqual([
      "with.synthetic: cifar10 is not drawn",
    ]);
  });

  it("reads arrays and tables, and says what is wrong with its settings", async () => {
    const source = pathArtifact(join(import.meta.dirname, "../ml/data/fixtures/arrays.npz"));
    const arrays = await run({ dataset: "numpy", classNames: ["a", "b", "c"] }, { source });
    expect(openDataset(arrays.outputs.train!)).toMatchObject({ length: 3, height: 2, width: 4, channels: 3 });
    expect([...openDataset(arrays.outputs.train!).image(1).subarray(0, 2)]).toEqual([168, 175]);
    const folder = join(workbench.root, "tables");
    mkdirSync(folder);
    writeFileSync(join(folder, "train.csv"), "label,a,b\n1,2,3\n0,4,5\n");
    writeFileSync(join(folder, "test.csv"), "label,a,b\n1,6,7\n");
    const csv = { height: 2, width: 1 };
    const tables = await run({ dataset: "csv", csv }, { source: pathArtifact(folder) });
    expect(tables.outputs.train!.files.map(({ path }) => path)).toEqual(["card.json", "images.safetensors"]);
    expect([...openDataset(tables.outputs.train!).image(1)]).toEqual([4, 5]);
    const params = workbench.params(fetch, { dataset: "csv", csv });
    expect(fetch.describe!({ params, inputs: {} }).test).toEqual({ channels: 1, height: 2, width: 1 });
    const single = await run({ dataset: "csv", csv }, { source: pathArtifact(join(folder, "train.csv")) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(single).toMatchObject({
      message: "the input source is no .tar, .tar.gz or .zip archive: it is a text file",
      help: expect.stringContaining("connect the folder that it lies in"),
    });

    const check = (given: object) => problems(fetch, given, { source: {} });
    expect(check({ dataset: "numpy" })).toEqual([]);
    expect(workbench.params<{ numpy?: object }>(fetch as never, { dataset: "numpy" }).numpy).toEqual({
      valueRange: [0, 1],
    });
    expect(workbench.params<{ numpy?: object }>(fetch as never, { dataset: "cifar10" }).numpy).toBeUndefined();
    expect(() => check({ dataset: "csv" })).toThrow("must have required property 'csv'");
    expect(check({ dataset: "csv", csv: { ...csv, header: false } })).toEqual([
      'with.csv.header: without a header no column is called "label"',
    ]);
    expect(check({ dataset: "csv", csv: { ...csv, header: false, label: "digit" } })).toEqual([
      'with.csv.label: without a header no column is called "digit"',
    ]);
    expect(check({ dataset: "csv", csv: { ...csv, valueRange: [1, 1] }, numpy: {} })).toEqual([
      "with.numpy: csv has no arrays",
      "with.csv.valueRange: black and white are the same value",
    ]);
  });

  it("fails with message and help, not with a stack", async () => {
    const path = join(workbench.root, "page.html");
    writeFileSync(path, "<html>Not Found</html>");
    const error = await run({ dataset: "cifar10" }, { source: pathArtifact(path) }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StageFailure);
    expect(error).toMatchObject({ message: "the input source is no .tar, .tar.gz or .zip archive: it is a web page" });
    const none = await run({ dataset: "cifar10", sources: [{ path: "/nowhere/cifar.tar.gz" }] }).catch(
      (thrown: unknown) => thrown,
    );
    expect(none).toBeInstanceOf(StageFailure);
    expect(none).toMatchObject({
      message: "the one source could give the data:\n  /nowhere/cifar.tar.gz: there is no such file",
      help: expect.stringContaining("inputs: { source: ./archive.tar.gz }"),
    });
  });

  it("knows what comes before it is there", () => {
    const describe_ = (given: object) => fetch.describe!({ params: workbench.params(fetch, given), inputs: {} });
    expect(describe_({ dataset: "cifar10" })).toMatchObject({
      train: { count: 50_000, classes: 10, height: 32, width: 32, channels: 3 },
      test: { count: 10_000 },
    });
    expect(describe_({ dataset: "cifar100" }).train).toMatchObject({ count: 50_000, classes: 100 });
    expect(describe_({ dataset: "cifar100", labels: "coarse" }).test).toMatchObject({ count: 10_000, classes: 20 });
    expect(describe_({ dataset: "imageFolder" }).train).toEqual({ channels: 3 });
    expect(describe_({ dataset: "imageFolder", channels: 1, imageSize: [7, 9] }).train).toEqual({
      channels: 1,
      height: 7,
      width: 9,
    });
    expect(describe_({ dataset: "idx", classNames: ["a", "b"] }).train).toEqual({
      channels: 1,
      classes: 2,
      classNames: ["a", "b"],
    });
  });

  it("refuses sources that could change unnoticed, and settings that mean nothing", () => {
    const url = "https://example.org/data.tar.gz";
    const check = (given: object, inputs: Record<string, Facts> = {}) => problems(fetch, given, inputs);
    expect(check({ dataset: "cifar10", sources: [{ url }] })).toEqual([]);
    expect(check({ dataset: "imageFolder" }, { source: {} })).toEqual([]);
    expect(check({ dataset: "imageFolder" })).toEqual(["with.dataset: imageFolder has no address of its own"]);
    expect(check({ dataset: "imageFolder", sources: [{ url }] })).toEqual([
      "with.sources.0: a source of data that tfpipe does not know needs its sha256",
    ]);
    expect(check({ dataset: "cifar10", sources: [{ path: "./here.tar.gz" }] })).toEqual([
      'with.sources.0.path: "./here.tar.gz" is no absolute path',
    ]);
    expect(check({ dataset: "cifar10", imageSize: 40, classNames: ["a"], labels: "coarse" })).toEqual([
      "with.imageSize: the images of cifar10 have a size of their own",
      "with.classNames: the classes of cifar10 have names of their own",
      "with.labels: cifar10 has one kind of label",
    ]);
    expect(() => check({ dataset: "cifar10", sources: [{ url: "ftp://x" }] })).toThrow("must match pattern");
  });
});
