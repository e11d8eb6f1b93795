/** The images of the examples chart: chosen, transformed as the model saw them (without mean and deviation), encoded. */
import { DataError } from "../data/data-error.ts";
import { type DatasetSource, openDataset } from "../data/dataset.ts";
import { batchRecipe, createBatchFiller } from "../data/fill-batch.ts";
import type { Predictions } from "./chart-sources.ts";
import type { Example } from "./examples-chart.ts";
import { encodeTile } from "./image-tile.ts";

export type ExamplePick = "first" | "spread" | "wrong" | "correct";

export interface ExampleChoice {
  readonly pick: ExamplePick;
  readonly count: number;
  readonly tileSize: number;
  /** Shown instead of the predictions' own. */
  readonly classNames?: readonly string[] | undefined;
}

export interface Examples {
  readonly examples: readonly Example[];
  /** Height of an image over its width. */
  readonly aspect: number;
}

/** Throws `DataError` where the predictions are not of this dataset. Fewer examples than asked for where there are fewer. */
export async function readExamples(
  source: DatasetSource,
  predictions: Predictions,
  choice: ExampleChoice,
): Promise<Examples> {
  const dataset = openDataset(source);
  try {
    const differs = dataset.labels.findIndex((label, i) => label !== predictions.labels[i]);
    if (dataset.length !== predictions.labels.length || differs !== -1)
      throw new DataError(
        dataset.length !== predictions.labels.length
          ? `the dataset has ${dataset.length} images, the predictions are of ${predictions.labels.length}`
          : `image ${differs} of the dataset has another label than the predictions say`,
        "connect `examples` to the dataset that was evaluated",
      );
    const names = choice.classNames ?? predictions.classNames;
    const [height, width] = dataset.transformedSize;
    // Random transforms draw what they drew when the model was evaluated: purpose "test", epoch 1.
    const filler = createBatchFiller(batchRecipe(dataset, "test"));
    const examples: Example[] = [];
    try {
      for (const index of pickExamples(predictions, choice)) {
        const pixels = new Uint8Array(filler.imageBytes);
        filler.fill(1, Int32Array.of(index), pixels);
        const predicted = predictions.predicted[index]!;
        examples.push({
          index,
          image: await encodeTile(pixels, [height, width, dataset.channels], choice.tileSize),
          actual: names[predictions.labels[index]!]!,
          predicted: names[predicted]!,
          probability: predictions.probabilities[index * names.length + predicted]!,
        });
      }
    } finally {
      filler.close();
    }
    return { examples, aspect: height / width };
  } finally {
    dataset.close();
  }
}

/** Which images are shown, in the dataset's order. */
export function pickExamples(
  predictions: Pick<Predictions, "labels" | "predicted">,
  { pick, count }: Pick<ExampleChoice, "pick" | "count">,
): readonly number[] {
  const { labels, predicted } = predictions;
  const all = Array.from(labels, (_, i) => i);
  switch (pick) {
    case "first":
      return all.slice(0, count);
    case "spread": {
      const shown = Math.min(count, all.length);
      return all.slice(0, shown).map((i) => Math.floor(((i + 0.5) * all.length) / shown));
    }
    case "wrong":
      return all.filter((i) => labels[i] !== predicted[i]).slice(0, count);
    case "correct":
      return all.filter((i) => labels[i] === predicted[i]).slice(0, count);
  }
}
