import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Artifact, Facts, StageContext } from "../../src/contract.ts";
import { canonicalJson, type JsonObject } from "../../src/json.ts";
import { encodeTile } from "../../src/ml/charts/image-tile.ts";
import { writeSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { openDataset } from "../../src/ml/data/dataset.ts";
import { createLoader } from "../../src/ml/data/loader.ts";
import type { PlotParams } from "../../stages/generated/plot-params.ts";
import { plot } from "../../stages/plot.ts";

const here = dirname(fileURLToPath(import.meta.url));
const schema = JSON.parse(readFileSync(join(here, "../../schemas/plot.schema.json"), "utf8")) as JsonObject;

function params(given: object): PlotParams {
  const filled = structuredClone(given);
  const validate = new Ajv({ useDefaults: true, strict: false }).compile(schema);
  if (!validate(filled)) throw new Error(JSON.stringify(validate.errors));
  return filled as PlotParams;
}

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "plot-test-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function artifact(kind: string, write: (folder: string) => void, references: Record<string, Artifact> = {}): Artifact {
  const folder = mkdtempSync(join(root, `${kind}-`));
  write(folder);
  return {
    kind,
    digest: "0".repeat(64),
    files: readdirSync(folder).map((path) => ({ path, sizeBytes: 0, digest: "" })),
    path: (file = "") => join(folder, file),
    references,
  };
}

const json = (name: string, value: JsonObject) => (folder: string) =>
  writeFileSync(join(folder, name), `${canonicalJson(value)}\n`);
const classNames = ["cat", "dog", "ship"];
const metadata = { classNames: JSON.stringify(classNames) };
const labels = Int32Array.of(0, 1, 2, 0, 1, 2);

function inputs(): Record<"history" | "predictions" | "confusion" | "examples", Artifact> {
  const pixels = artifact("dataset", (folder) =>
    writeSafetensors(
      join(folder, "images.safetensors"),
      {
        images: { dtype: "U8", shape: [6, 4, 4, 3], data: Uint8Array.from({ length: 6 * 48 }, (_, i) => i % 256) },
        labels: { dtype: "I32", shape: [6], data: labels },
      },
      metadata,
    ),
  );
  return {
    history: artifact(
      "history",
      json("history.json", {
        batchSize: 2,
        iterationsPerEpoch: 2,
        loss: [3, 2, 1.5, 1],
        epochs: [
          { epoch: 1, learningRate: 0.1, trainLoss: 2.5, trainAccuracy: 0.4, validAccuracy: 0.35, improved: true },
          { epoch: 2, learningRate: 0.1, trainLoss: 1.2, trainAccuracy: 0.6, validAccuracy: 0.5, improved: true },
        ],
        bestEpoch: 2,
      }),
    ),
    predictions: artifact("predictions", (folder) =>
      writeSafetensors(
        join(folder, "predictions.safetensors"),
        {
          labels: { dtype: "I32", shape: [6], data: labels },
          predicted: { dtype: "I32", shape: [6], data: Int32Array.of(0, 1, 1, 0, 2, 2) },
          probabilities: { dtype: "F32", shape: [6, 3], data: new Float32Array(18).fill(1 / 3) },
        },
        metadata,
      ),
    ),
    confusion: artifact(
      "confusion",
      json("confusion.json", {
        classNames,
        matrix: [
          [2, 0, 0],
          [0, 1, 1],
          [0, 1, 1],
        ],
      }),
    ),
    examples: artifact(
      "dataset",
      json("transform.json", {
        transforms: [{ resize: 8 }, { centerCrop: 6 }],
        mean: [0, 0, 0],
        std: [1, 1, 1],
        seed: 1,
      }),
      { base: pixels },
    ),
  };
}

async function run(given: object, connected: Readonly<Record<string, Artifact>>) {
  const folder = mkdtempSync(join(root, "out-"));
  const warnings: string[] = [];
  const context = {
    params: params(given),
    inputs: connected,
    outputs: { charts: { folder, reference: () => undefined } },
    asset: (name: string) => join(here, "../../stages", plot.assets![name]!),
    progress: () => undefined,
    warn: (line: string) => warnings.push(line),
  } as unknown as StageContext<PlotParams>;
  await plot.run(context);
  const read = (file: string) => readFileSync(join(folder, file));
  return { files: readdirSync(folder).sort(), read, warnings };
}

const check = (given: object, facts: Readonly<Record<string, Facts>>) =>
  plot.check!({ params: params(given), inputs: facts });

describe("plot", () => {
  it("keeps each chart as specification, data and rendered files", async () => {
    const charts = ["loss", "accuracy", "confusionMatrix", "examples"];
    const { files, read, warnings } = await run({ charts }, inputs());
    const extensions = ["data.json", "pdf", "png", "svg", "vl.json"];
    expect(files).toEqual(charts.flatMap((chart) => extensions.map((extension) => `${chart}.${extension}`)).sort());
    expect(warnings).toEqual([]);
    expect(read("loss.svg").toString()).toContain("Training loss");
    expect(read("loss.pdf").subarray(0, 5).toString()).toBe("%PDF-");
    expect(read("loss.png").subarray(1, 4).toString()).toBe("PNG");
  });

  it("shows the images as the model saw them, before mean and deviation", async () => {
    const { read } = await run({ charts: ["examples"], formats: ["svg"], examples: { tileSize: 18 } }, inputs());
    const { tiles } = JSON.parse(read("examples.data.json").toString()) as { tiles: readonly JsonObject[] };
    expect(tiles.map((tile) => tile.title)).toEqual([
      "P: cat / T: cat",
      "P: dog / T: dog",
      "P: dog / T: ship",
      "P: cat / T: cat",
      "P: ship / T: dog",
      "P: ship / T: ship",
    ]);
    const { default: sharp } = await import("sharp");
    const image = sharp(Buffer.from((tiles[0]!.image as string).split(",")[1]!, "base64"));
    // 4 pixels resized to 8, cropped to 6, enlarged threefold.
    expect(await image.metadata()).toMatchObject({ width: 18, height: 18, channels: 3 });
  });

  it("shows the very crop that the evaluation drew", async () => {
    const { predictions, examples } = inputs();
    const cropped = artifact(
      "dataset",
      json("transform.json", {
        transforms: [{ resize: 8 }, { randomCrop: 3 }],
        mean: [0, 0, 0],
        std: [1, 1, 1],
        seed: 7,
      }),
      examples.references,
    );
    const given = { charts: ["examples"], formats: [], examples: { tileSize: 16 } };
    const { read } = await run(given, { predictions, examples: cropped });
    const { tiles } = JSON.parse(read("examples.data.json").toString()) as { tiles: readonly { image: string }[] };
    const dataset = openDataset(cropped);
    // As evaluate reads them.
    const order = { batchSize: dataset.length, dropLast: false, shuffle: false, seed: 0, purpose: "test", threads: 0 };
    const loader = createLoader({ dataset, ...order });
    for await (const { images } of loader.epoch(1))
      for (const [i, { image }] of tiles.entries())
        expect(image).toBe(await encodeTile(images.slice(27 * i, 27 * (i + 1)), [3, 3, 3], 16));
    await loader.close();
    dataset.close();
  });

  it("counts the confusion matrix from the predictions where no counted one is connected", async () => {
    const { confusion, predictions } = inputs();
    const given = { charts: ["confusionMatrix"], formats: [] };
    const counted = await run(given, { predictions });
    const connected = await run(given, { confusion });
    expect(counted.read("confusionMatrix.data.json")).toEqual(connected.read("confusionMatrix.data.json"));
    expect(counted.files).toEqual(["confusionMatrix.data.json", "confusionMatrix.vl.json"]);
  });

  it("changes only the title of a chart whose title changes", async () => {
    const { history } = inputs();
    const before = await run({ charts: ["loss"], formats: [] }, { history });
    const after = await run({ charts: ["loss"], formats: [], loss: { title: "Another" } }, { history });
    expect(after.read("loss.data.json")).toEqual(before.read("loss.data.json"));
    expect(after.read("loss.vl.json").toString()).toBe(
      before.read("loss.vl.json").toString().replace("Training loss", "Another"),
    );
  });

  it("shows the first images, and says so, where none was predicted wrongly", async () => {
    const { predictions, examples } = inputs();
    const wrong = await run(
      { charts: ["examples"], formats: [], examples: { pick: "wrong" } },
      { predictions, examples },
    );
    expect(wrong.warnings).toEqual([]);
    const right = artifact("predictions", (folder) =>
      writeSafetensors(
        join(folder, "predictions.safetensors"),
        {
          labels: { dtype: "I32", shape: [6], data: labels },
          predicted: { dtype: "I32", shape: [6], data: labels },
          probabilities: { dtype: "F32", shape: [6, 3], data: new Float32Array(18).fill(1 / 3) },
        },
        metadata,
      ),
    );
    const none = await run(
      { charts: ["examples"], formats: [], examples: { pick: "wrong" } },
      { predictions: right, examples },
    );
    expect(none.warnings).toEqual(["no image was predicted wrongly: the first ones are shown instead"]);
  });

  it("refuses examples that are not what was predicted", async () => {
    const { examples } = inputs();
    const other = artifact("predictions", (folder) =>
      writeSafetensors(
        join(folder, "predictions.safetensors"),
        {
          labels: { dtype: "I32", shape: [1], data: Int32Array.of(0) },
          predicted: { dtype: "I32", shape: [1], data: Int32Array.of(0) },
          probabilities: { dtype: "F32", shape: [1, 3], data: new Float32Array(3) },
        },
        metadata,
      ),
    );
    await expect(run({ charts: ["examples"] }, { predictions: other, examples })).rejects.toMatchObject({
      name: "StageFailure",
      message: "the dataset has 6 images, the predictions are of 1",
    });
  });
});

describe("the check of plot", () => {
  it("accepts charts whose inputs are connected", () => {
    expect(check({ charts: ["loss", "confusionMatrix"] }, { history: {}, predictions: {} })).toEqual([]);
    expect(check({ charts: ["confusionMatrix"] }, { confusion: {} })).toEqual([]);
  });

  it("locates a chart whose input is not connected", () => {
    expect(check({ charts: ["loss", "examples"] }, { history: {}, predictions: {} })).toEqual([
      {
        path: ["with", "charts", 1],
        message: "the chart examples needs the input examples, which is not connected",
        help: "connect `examples` under inputs, or leave examples out of charts",
      },
    ]);
    expect(check({ charts: ["confusionMatrix"] }, {})[0]?.message).toContain("confusion or predictions");
  });

  it("names both counts where the class names are not as many as the classes", () => {
    const given = { charts: ["confusionMatrix"], classNames: ["a", "b"] };
    expect(check(given, { predictions: { classes: 10 } })).toMatchObject([
      { path: ["with", "classNames"], message: "2 class names are given, but predictions has 10 classes" },
    ]);
    expect(check(given, { confusion: { classNames: ["x", "y", "z"] } })).toHaveLength(1);
    expect(check(given, { predictions: { classes: 2 } })).toEqual([]);
  });

  it("locates a range that runs backwards", () => {
    const given = { charts: ["accuracy"], accuracy: { yRange: [1, 0.5] } };
    expect(check(given, { history: {} })).toMatchObject([{ path: ["with", "accuracy", "yRange"] }]);
  });

  it("knows which charts there will be", () => {
    const given = params({ charts: ["loss"] });
    expect(plot.describe!({ params: given, inputs: {} })).toEqual({ charts: { charts: ["loss"] } });
  });
});
