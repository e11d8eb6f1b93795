/** What charts are drawn from: history, confusion and predictions, read from artifacts as ARCHITECTURE.md lays them out. */
import { readFileSync } from "node:fs";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { DataError } from "../data/data-error.ts";
import { confusionMatrix } from "../metrics/confusion-matrix.ts";
import type { AccuracyHistory } from "./accuracy-chart.ts";
import type { Confusion } from "./confusion-chart.ts";
import type { LossHistory } from "./loss-chart.ts";

export interface ChartSource {
  path(file?: string): string;
}

export interface Predictions {
  readonly classNames: readonly string[];
  /** [n], class indices. */
  readonly labels: Int32Array;
  readonly predicted: Int32Array;
  /** [n, classes], row-major. */
  readonly probabilities: Float32Array;
}

export function readHistory(source: ChartSource): LossHistory & AccuracyHistory {
  return JSON.parse(readFileSync(source.path("history.json"), "utf8")) as LossHistory & AccuracyHistory;
}

export function readConfusion(source: ChartSource): Confusion {
  return JSON.parse(readFileSync(source.path("confusion.json"), "utf8")) as Confusion;
}

/** Throws `DataError` where the file's tensors do not belong together. */
export function readPredictions(source: ChartSource): Predictions {
  const path = source.path("predictions.safetensors");
  const stored = openSafetensors(path);
  const [labels, predicted, probabilities] = ["labels", "predicted", "probabilities"].map((n) => stored.read(n).data);
  const classNames = JSON.parse(stored.metadata.classNames ?? "null") as readonly string[] | null;
  if (!(labels instanceof Int32Array && predicted instanceof Int32Array && probabilities instanceof Float32Array))
    throw new DataError(`${path}: labels and predicted must be int32, probabilities float32`);
  if (classNames === null) throw new DataError(`${path} has no list of class names`);
  if (predicted.length !== labels.length || probabilities.length !== labels.length * classNames.length)
    throw new DataError(
      `${path}: ${labels.length} labels, ${predicted.length} predictions and ${probabilities.length} probabilities of ${classNames.length} classes do not belong together`,
    );
  const outside = (index: number) => index < 0 || index >= classNames.length;
  if (labels.some(outside) || predicted.some(outside))
    throw new DataError(`${path}: a label or a prediction is none of the ${classNames.length} classes`);
  return { classNames, labels, predicted, probabilities };
}

/** The confusion matrix that predictions amount to. */
export function confusionOf(predictions: Predictions): Confusion {
  const { classNames, labels, predicted } = predictions;
  return { classNames, matrix: confusionMatrix(labels, predicted, classNames.length) };
}
