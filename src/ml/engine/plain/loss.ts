/** Softmax and its cross-entropy, shifted by each row's maximum so that nothing overflows. */
import { type Reals, zerosLike } from "./storage.ts";

/** Row by row of logits [n, classes]. */
export function softmax(logits: Reals, classes: number): Reals {
  const out = zerosLike(logits, logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    const { shift, sum } = exponentialSum(logits, row, classes);
    for (let i = row; i < row + classes; i++) out[i] = Math.exp(logits[i]! - shift) / sum;
  }
  return out;
}

/** The mean over rows of log(sum(exp(logits))) - logits[label], and its gradient (softmax - onehot) / n. */
export function softmaxCrossEntropy(
  logits: Reals,
  labels: Int32Array,
  classes: number,
): { readonly loss: number; readonly dlogits: Reals } {
  const n = labels.length;
  const dlogits = zerosLike(logits, logits.length);
  let loss = 0;
  for (let image = 0; image < n; image++) {
    const label = labels[image]!;
    if (label < 0 || label >= classes) throw new RangeError(`label ${label} is not one of ${classes} classes`);
    const row = image * classes;
    const { shift, sum } = exponentialSum(logits, row, classes);
    loss += Math.log(sum) + shift - logits[row + label]!;
    for (let c = 0; c < classes; c++)
      dlogits[row + c] = (Math.exp(logits[row + c]! - shift) / sum - (c === label ? 1 : 0)) / n;
  }
  return { loss: loss / n, dlogits };
}

/** The mean over rows of log(sum(exp(logits))) - sum(targets logits), where rows of `targets` sum to one, and its gradient (softmax - targets) / n. */
export function softmaxCrossEntropyOfProbabilities(
  logits: Reals,
  targets: Reals,
  classes: number,
): { readonly loss: number; readonly dlogits: Reals } {
  const n = logits.length / classes;
  const dlogits = zerosLike(logits, logits.length);
  let loss = 0;
  for (let row = 0; row < logits.length; row += classes) {
    const { shift, sum } = exponentialSum(logits, row, classes);
    for (let i = row; i < row + classes; i++) {
      const target = targets[i]!;
      // What has no probability counts nothing, even at a logit of minus infinity.
      if (target !== 0) loss += target * (Math.log(sum) + shift - logits[i]!);
      dlogits[i] = (Math.exp(logits[i]! - shift) / sum - target) / n;
    }
  }
  return { loss: loss / n, dlogits };
}

function exponentialSum(logits: Reals, row: number, classes: number): { readonly shift: number; readonly sum: number } {
  let shift = logits[row]!;
  for (let i = row + 1; i < row + classes; i++) shift = Math.max(shift, logits[i]!);
  let sum = 0;
  for (let i = row; i < row + classes; i++) sum += Math.exp(logits[i]! - shift);
  return { shift, sum };
}
