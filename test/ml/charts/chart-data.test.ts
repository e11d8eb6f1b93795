import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { drawAccuracyChart } from "../../../src/ml/charts/accuracy-chart.ts";
import { niceStep } from "../../../src/ml/charts/chart.ts";
import { drawConfusionChart } from "../../../src/ml/charts/confusion-chart.ts";
import { drawExamplesChart } from "../../../src/ml/charts/examples-chart.ts";
import { drawLossChart, lossLimit, runningAverage, thinToColumns } from "../../../src/ml/charts/loss-chart.ts";
import { pickExamples } from "../../../src/ml/charts/read-examples.ts";

const lossOptions = { title: "Training loss", width: 300, height: 150 };
const accuracyOptions = { title: "Accuracy", width: 300, height: 150 };
const confusionOptions = {
  title: "Confusion",
  mode: "both",
  colormap: "blues",
  frame: true,
  ticks: true,
  colorBar: true,
} as const;

describe("the loss chart", () => {
  it("averages exactly the asked number of values in a row", () => {
    expect([...runningAverage([1, 2, 3, 4], 2)]).toEqual([1.5, 2.5, 3.5]);
    expect([...runningAverage([5, 7], 1)]).toEqual([5, 7]);
  });

  it("starts the average where its window is full, and averages an epoch where that is shorter than 200", () => {
    const chart = drawLossChart({ batchSize: 8, iterationsPerEpoch: 3, loss: [3, 2, 1, 2, 3, 4] }, lossOptions);
    const rows = chart.data.minibatches as readonly JsonObject[];
    expect(rows.map((row) => row.average)).toEqual([undefined, undefined, 2, 1.66667, 2, 3]);
    expect(JSON.stringify(chart.spec)).toContain("average of 3");
  });

  it("averages half of a run of a single epoch, since a whole one would be a single point", () => {
    const chart = drawLossChart({ batchSize: 8, iterationsPerEpoch: 4, loss: [4, 2, 1, 3] }, lossOptions);
    expect((chart.data.minibatches as readonly JsonObject[]).map((row) => row.average)).toEqual([undefined, 3, 1.5, 2]);
  });

  it("ends the y axis at 1.5 times the largest loss after iteration 1,000", () => {
    const loss = Array.from({ length: 1200 }, (_, i) => (i < 1000 ? 50 : i === 1100 ? 2 : 1));
    expect(lossLimit(loss, 10)).toBe(3);
  });

  it("ends the y axis by what follows the first epoch where there are fewer than 1,000 iterations", () => {
    expect(lossLimit([90, 80, 2, 1], 2)).toBe(3);
  });

  it("ends the y axis by the later half where there is one epoch", () => {
    expect(lossLimit([90, 80, 4, 1], 4)).toBe(6);
  });

  it("keeps of a long training what a picture of its width can show, the spikes among it", () => {
    const values = Array.from({ length: 10_000 }, (_, i) => (i === 4_321 ? 9 : i === 4_322 ? -9 : i % 7));
    const kept = thinToColumns(values, 100);
    expect(kept.length).toBeLessThanOrEqual(400);
    expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
    expect(kept).toEqual(expect.arrayContaining([0, 4_321, 4_322, 9_999]));
    expect(thinToColumns([3, 1, 2], 100)).toEqual([0, 1, 2]);
  });

  it("refuses a history without a loss", () => {
    expect(() => drawLossChart({ batchSize: 8, iterationsPerEpoch: 3, loss: [] }, lossOptions)).toThrow(
      "nothing to draw",
    );
  });

  it("puts the epoch ticks at whole epochs, about ten of them", () => {
    const loss = new Array<number>(500).fill(1);
    const text = JSON.stringify(drawLossChart({ batchSize: 8, iterationsPerEpoch: 10, loss }, lossOptions).spec);
    expect(text).toContain('"values":[0,50,100,150,200,250,300,350,400,450,500]');
    expect(niceStep(50, 10)).toBe(5);
  });
});

describe("the accuracy chart", () => {
  const epochs = [
    { epoch: 1, validAccuracy: 0.42, trainAccuracy: 0.5 },
    { epoch: 2, validAccuracy: 0.61, trainAccuracy: 0.7 },
  ];

  it("keeps fractions in the data and says percent on the axis", () => {
    const chart = drawAccuracyChart({ epochs, bestEpoch: 2 }, accuracyOptions);
    expect((chart.data.epochs as readonly JsonObject[]).map((row) => row.accuracy)).toEqual([0.5, 0.7, 0.42, 0.61]);
    expect(JSON.stringify(chart.spec)).toContain('"format":".0%"');
    expect(chart.data.best).toEqual([{ epoch: 2, accuracy: 0.61 }]);
    expect(JSON.stringify(chart.spec)).toContain("61.0 % after epoch 2");
  });

  it("shows the range that was asked for", () => {
    const chart = drawAccuracyChart({ epochs }, { ...accuracyOptions, yRange: [0.5, 1] });
    expect(JSON.stringify(chart.spec)).toContain('"domain":[0.5,1]');
  });

  it("draws one line where only one accuracy was measured, and refuses where none was", () => {
    const chart = drawAccuracyChart({ epochs: [{ epoch: 1, validAccuracy: 0.4 }] }, accuracyOptions);
    expect((chart.data.epochs as readonly JsonObject[]).map((row) => row.series)).toEqual(["validation"]);
    expect(() => drawAccuracyChart({ epochs: [{ epoch: 1 }] }, accuracyOptions)).toThrow("holds no accuracy");
  });
});

describe("the confusion matrix", () => {
  const confusion = {
    classNames: ["cat", "dog"],
    matrix: [
      [3, 1],
      [0, 0],
    ],
  };

  it("gives shares of the true class, and 0 for a class without images", () => {
    const cells = drawConfusionChart(confusion, confusionOptions).data.cells as readonly JsonObject[];
    expect(cells.map((cell) => cell.share)).toEqual([0.75, 0.25, 0, 0]);
    expect(cells.map((cell) => cell.count)).toEqual([3, 1, 0, 0]);
    expect(cells[1]).toMatchObject({ actual: "cat", predicted: "dog" });
  });

  it("refuses a number of names that is not the number of classes", () => {
    const classNames = ["cat", "dog", "bird"];
    expect(() => drawConfusionChart(confusion, { ...confusionOptions, classNames })).toThrow(
      "3 class names for a confusion matrix of 2 classes",
    );
  });

  it("refuses two classes of one name, whose cells would lie on each other", () => {
    expect(() => drawConfusionChart(confusion, { ...confusionOptions, classNames: ["cat", "cat"] })).toThrow('"cat"');
  });

  it("writes no numbers into cells too small for them, unless told to", () => {
    const classNames = Array.from({ length: 100 }, (_, i) => `class ${i}`);
    const matrix = classNames.map(() => classNames.map(() => 1));
    const marks = (cellText?: boolean) =>
      JSON.stringify(drawConfusionChart({ classNames, matrix }, { ...confusionOptions, cellText }).spec);
    expect(marks()).not.toContain('"type":"text"');
    expect(marks(true)).toContain('"type":"text"');
  });
});

describe("the examples chart", () => {
  const predictions = { labels: Int32Array.of(0, 1, 0, 1, 0, 1), predicted: Int32Array.of(0, 0, 0, 1, 1, 1) };

  it("titles every image with both classes and marks the wrong ones", () => {
    const example = { image: "data:image/png;base64,", probability: 0.5 };
    const chart = drawExamplesChart(
      [
        { ...example, index: 0, predicted: "cat", actual: "dog" },
        { ...example, index: 1, predicted: "dog", actual: "dog" },
      ],
      { title: "Examples", gridColumns: 5, tileSize: 64, aspect: 1 },
    );
    const tiles = chart.data.tiles as readonly JsonObject[];
    expect(tiles.map((tile) => tile.title)).toEqual(["P: cat / T: dog", "P: dog / T: dog"]);
    expect(tiles.map((tile) => tile.wrong)).toEqual([true, false]);
  });

  it.each([
    ["first", [0, 1]],
    ["spread", [1, 4]],
    ["wrong", [1, 4]],
    ["correct", [0, 2]],
  ] as const)("picks %s", (pick, indices) => {
    expect(pickExamples(predictions, { pick, count: 2 })).toEqual(indices);
  });

  it("picks each image once where fewer are there than asked for", () => {
    expect(pickExamples(predictions, { pick: "spread", count: 15 })).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
