/**
 * What a model's logits say, row by row. Computed on the host in double precision, so that accuracy and loss do not
 * depend on an engine's reductions.
 */

/** The class with the greatest of `classes` scores at each row; the lowest index among equals. `scores` is [n, classes]. */
export function predictedClasses(scores: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: scores.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[row * classes + c]! > scores[row * classes + best]!) best = c;
    return best;
  });
}

/** At how many rows the label is among the `k` greatest scores. Among equal scores the lower index ranks first. */
export function countTopK(scores: Float32Array, labels: Int32Array, classes: number, k: number): number {
  let count = 0;
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!;
    const score = scores[row * classes + label]!;
    let rank = 0;
    for (let c = 0; c < classes; c++) {
      const other = scores[row * classes + c]!;
      // Written so that a NaN never ranks behind the label: a broken model is not a lucky one.
      if (c !== label && !(other < score) && !(other === score && c > label)) rank++;
    }
    if (rank < k) count++;
  }
  return count;
}

/** Softmax of each row of `logits` [n, classes], in double precision, rounded to float32. */
export function softmaxRows(logits: Float32Array, classes: number): Float32Array {
  const out = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const [maximum, sum] = exponentialSum(row);
    for (let c = 0; c < classes; c++) out[start + c] = Math.exp(row[c]! - maximum) / sum;
  }
  return out;
}

/** The sum over rows of the cross-entropy of softmax(`logits` [n, classes]) against `labels`. */
export function sumCrossEntropy(logits: Float32Array, labels: Int32Array, classes: number): number {
  let total = 0;
  for (let row = 0; row < labels.length; row++) {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const [maximum, sum] = exponentialSum(scores);
    total += Math.log(sum) - (scores[labels[row]!]! - maximum);
  }
  return total;
}

function exponentialSum(row: Float32Array): [maximum: number, sum: number] {
  let maximum = Number.NEGATIVE_INFINITY;
  for (const value of row) maximum = Math.max(maximum, value);
  let sum = 0;
  for (const value of row) sum += Math.exp(value - maximum);
  return [maximum, sum];
}
