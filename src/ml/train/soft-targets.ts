/** What a batch's logits are measured against: its labels, or probabilities where they are smoothed or mixed. */

/** Other labels that a batch is mixed with. */
export interface MixedLabels {
  readonly labels: Int32Array;
  /** The share of the batch's own labels. */
  readonly share: number;
}

/**
 * [n, classes], row-major: each label's share, then smoothed as torch.nn.CrossEntropyLoss(label_smoothing) does:
 * (1 - smoothing) target + smoothing / classes (Szegedy et al. 2016). Rows sum to one.
 */
export function softTargets(labels: Int32Array, classes: number, smoothing: number, mixed?: MixedLabels): Float32Array {
  const targets = new Float64Array(labels.length * classes);
  const share = mixed?.share ?? 1;
  labels.forEach((label, i) => {
    targets[i * classes + label]! += share;
  });
  mixed?.labels.forEach((label, i) => {
    targets[i * classes + label]! += 1 - share;
  });
  return Float32Array.from(targets, (target) => target * (1 - smoothing) + smoothing / classes);
}
