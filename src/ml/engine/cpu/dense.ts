/** The dense layer, softmax and its cross-entropy. */
import { addProductTransposed, transpose } from "./matrix.ts";

/** x [n, in] by weight [in, out] plus bias [out]. */
export function dense(x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const outputs = bias.length;
  const inputs = weight.length / outputs;
  const n = x.length / inputs;
  const y = new Float64Array(n * outputs);
  for (let i = 0; i < y.length; i++) y[i] = bias[i % outputs]!;
  addProductTransposed(x, transpose(weight, inputs, outputs), y, n, outputs, inputs);
  return y;
}

export function denseGradient(
  dy: Float64Array,
  x: Float64Array,
  weight: Float64Array,
  n: number,
): { readonly dx: Float64Array; readonly dweight: Float64Array; readonly dbias: Float64Array } {
  const outputs = dy.length / n;
  const inputs = x.length / n;
  const dx = new Float64Array(x.length);
  addProductTransposed(dy, weight, dx, n, inputs, outputs);
  const dweight = new Float64Array(weight.length);
  addProductTransposed(transpose(x, n, inputs), transpose(dy, n, outputs), dweight, inputs, outputs, n);
  return { dx, dweight, dbias: sumRows(dy, outputs) };
}

/** a [..., columns] summed over all axes but the last. */
export function sumRows(a: Float64Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < a.length; i++) sums[i % columns] = sums[i % columns]! + a[i]!;
  return sums;
}

/** Row by row of logits [n, classes], shifted by the row's maximum so that nothing overflows. */
export function softmax(logits: Float64Array, classes: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    const shift = rowMaximum(logits, row, classes);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += out[row + c] = Math.exp(logits[row + c]! - shift);
    for (let c = 0; c < classes; c++) out[row + c] = out[row + c]! / sum;
  }
  return out;
}

/** The mean over rows of log(sum(exp(logits))) - logits[label], and its gradient (softmax - onehot) / n. */
export function softmaxCrossEntropy(
  logits: Float64Array,
  labels: Int32Array,
  classes: number,
): { readonly loss: number; readonly dlogits: Float64Array } {
  const n = labels.length;
  const dlogits = softmax(logits, classes);
  let loss = 0;
  for (let row = 0; row < n; row++) {
    const label = labels[row]!;
    if (label < 0 || label >= classes) throw new RangeError(`label ${label} is not one of ${classes} classes`);
    const shift = rowMaximum(logits, row * classes, classes);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(logits[row * classes + c]! - shift);
    loss += Math.log(sum) + shift - logits[row * classes + label]!;
    dlogits[row * classes + label] = dlogits[row * classes + label]! - 1;
  }
  for (let i = 0; i < dlogits.length; i++) dlogits[i] = dlogits[i]! / n;
  return { loss: loss / n, dlogits };
}

function rowMaximum(values: Float64Array, from: number, count: number): number {
  let maximum = values[from]!;
  for (let i = from + 1; i < from + count; i++) maximum = Math.max(maximum, values[i]!);
  return maximum;
}
