/** How often each class was taken for which, and what follows from that per class. */

/** matrix[true class][predicted class] = count. */
export type ConfusionMatrix = readonly (readonly number[])[];

export interface ClassMetrics {
  readonly className: string;
  /** Of the rows predicted as this class, the fraction that is. 0 where none was predicted. */
  readonly precision: number;
  /** Of the rows of this class, the fraction predicted as such. 0 where there is none. */
  readonly recall: number;
  /** The harmonic mean of precision and recall; 0 where both are. */
  readonly f1: number;
  /** Rows of this class. */
  readonly support: number;
}

/** Labels and predictions are class indices below `classes`. */
export function confusionMatrix(labels: Int32Array, predicted: Int32Array, classes: number): ConfusionMatrix {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let row = 0; row < labels.length; row++) {
    const counts = matrix[labels[row]!]!;
    counts[predicted[row]!] = counts[predicted[row]!]! + 1;
  }
  return matrix;
}

/** Precision, recall, F1 and support of each class, as scikit-learn's `classification_report(zero_division=0)`. */
export function classMetrics(matrix: ConfusionMatrix, classNames: readonly string[]): ClassMetrics[] {
  return matrix.map((row, index) => {
    const hits = row[index]!;
    const support = row.reduce((sum, count) => sum + count, 0);
    const claimed = matrix.reduce((sum, other) => sum + other[index]!, 0);
    const precision = claimed === 0 ? 0 : hits / claimed;
    const recall = support === 0 ? 0 : hits / support;
    const f1 = claimed + support === 0 ? 0 : (2 * hits) / (claimed + support);
    return { className: classNames[index]!, precision, recall, f1, support };
  });
}
