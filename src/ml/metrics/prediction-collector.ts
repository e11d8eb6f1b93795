/** Gathers the logits of a pass, batch by batch, and sums them up as metrics. */

import type { Metrics, Predictions } from "../checkpoint/evaluation-files.ts";
import { type ConfusionMatrix, classMetrics, confusionMatrix } from "./confusion-matrix.ts";
import { countTopK, predictedClasses, softmaxRows } from "./ranks.ts";

export class PredictionCollector {
  readonly #classNames: readonly string[];
  readonly #labels: Int32Array;
  readonly #predicted: Int32Array;
  readonly #probabilities: Float32Array;
  #count = 0;
  #top5 = 0;

  constructor(images: number, classNames: readonly string[]) {
    this.#classNames = classNames;
    this.#labels = new Int32Array(images);
    this.#predicted = new Int32Array(images);
    this.#probabilities = new Float32Array(images * classNames.length);
  }

  /** `logits` [n, classes] and `labels` [n] of the next batch. */
  add(logits: Float32Array, labels: Int32Array): void {
    const classes = this.#classNames.length;
    this.#labels.set(labels, this.#count);
    this.#predicted.set(predictedClasses(logits, classes), this.#count);
    this.#probabilities.set(softmaxRows(logits, classes), this.#count * classes);
    this.#top5 += countTopK(logits, labels, classes, 5);
    this.#count += labels.length;
  }

  /** After the last batch; `loss` and `accuracy` are the pass's own. */
  finish(pass: { readonly loss: number; readonly accuracy: number }): {
    readonly metrics: Metrics;
    readonly predictions: Predictions;
    readonly confusion: ConfusionMatrix;
  } {
    const [classNames, labels, predicted] = [this.#classNames, this.#labels, this.#predicted];
    const confusion = confusionMatrix(labels, predicted, classNames.length);
    return {
      metrics: {
        loss: pass.loss,
        top1: pass.accuracy,
        top5: this.#top5 / this.#count,
        count: this.#count,
        perClass: classMetrics(confusion, classNames),
      },
      predictions: { classNames, labels, predicted, probabilities: this.#probabilities },
      confusion,
    };
  }
}
