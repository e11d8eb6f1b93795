/**
 * Softmax cross-entropy and its gradient out of ops that add up in one order on every device. TensorFlow's own op of both
 * is quicker, but on a GPU it refuses to work where ops must be deterministic.
 */
import { attribute, NONE, type TensorflowOps } from "./tensorflow-ops.ts";

const LAST_AXIS = [attribute.int("axis", -1)];

export interface CrossEntropyInputs {
  /** [n, classes] */
  readonly logits: number;
  /** [n] class indices, or [n, classes] probabilities that add up to one. */
  readonly targets: number;
  readonly classes: number;
  readonly areLabels: boolean;
}

/** Losses [n] and the gradient of each by its logits [n, classes], as the op has them. The caller frees both. */
export function composedCrossEntropy(
  ops: TensorflowOps,
  { logits, targets, classes, areLabels }: CrossEntropyInputs,
): readonly [losses: number, gradients: number] {
  const wanted = areLabels ? oneHot(ops, targets, classes) : targets;
  const logarithms = ops.one("LogSoftmax", NONE, logits);
  const products = ops.freeing(ops.multiply(wanted, logarithms), logarithms);
  const sums = ops.freeing(ops.reduce("Sum", products, [1], false), products);
  const losses = ops.freeing(ops.one("Neg", NONE, sums), sums);
  const shares = ops.one("Softmax", NONE, logits);
  const gradients = ops.freeing(ops.subtract(shares, wanted), shares);
  if (areLabels) ops.free(wanted);
  return [losses, gradients];
}

function oneHot(ops: TensorflowOps, labels: number, classes: number): number {
  const depth = ops.reshape(ops.ints([classes]), []);
  return ops.freeing(ops.one("OneHot", LAST_AXIS, labels, depth, ops.scalar(1), ops.scalar(0)), depth);
}
