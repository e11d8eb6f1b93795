/** What an evaluation leaves on disk: metrics, predictions and a confusion matrix, in the formats of ARCHITECTURE.md. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonObject } from "../../json.ts";
import type { ClassMetrics, ConfusionMatrix } from "../metrics/confusion-matrix.ts";
import { writeSafetensors } from "./safetensors.ts";

export interface Metrics {
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Fractions of images whose label is the first, or among the first five. */
  readonly top1: number;
  readonly top5: number;
  readonly count: number;
  readonly perClass: readonly ClassMetrics[];
}

export interface Predictions {
  readonly classNames: readonly string[];
  /** [n] */
  readonly labels: Int32Array;
  readonly predicted: Int32Array;
  /** [n, classes] */
  readonly probabilities: Float32Array;
}

/** Each writes one file into an empty folder. */
export function writeMetrics(folder: string, metrics: Metrics): void {
  writeJson(folder, "metrics.json", metrics as unknown as JsonObject);
}

export function writeConfusion(folder: string, classNames: readonly string[], matrix: ConfusionMatrix): void {
  writeJson(folder, "confusion.json", { classNames, matrix });
}

export function writePredictions(folder: string, { classNames, labels, predicted, probabilities }: Predictions): void {
  const count = labels.length;
  writeSafetensors(
    join(folder, "predictions.safetensors"),
    {
      labels: { dtype: "I32", shape: [count], data: labels },
      predicted: { dtype: "I32", shape: [count], data: predicted },
      probabilities: { dtype: "F32", shape: [count, classNames.length], data: probabilities },
    },
    { classNames: JSON.stringify(classNames) },
  );
}

function writeJson(folder: string, name: string, value: JsonObject): void {
  writeFileSync(join(folder, name), `${canonicalJson(value)}\n`, { flag: "wx" });
}
