/** The dense layer: x [n, in] by weight [in, out] plus bias [out]. */
import { type Multiply, transpose } from "./matrix.ts";
import { addBias, sumRows } from "./pointwise.ts";
import type { Reals } from "./storage.ts";

export function dense(x: Reals, weight: Reals, bias: Reals, multiply: Multiply): Reals {
  const outputs = bias.length;
  const inputs = weight.length / outputs;
  return addBias(multiply(x, weight, x.length / inputs, outputs, inputs), bias);
}

export function denseGradient(
  dy: Reals,
  x: Reals,
  weight: Reals,
  n: number,
  multiply: Multiply,
): { readonly dx: Reals; readonly dweight: Reals; readonly dbias: Reals } {
  const outputs = dy.length / n;
  const inputs = x.length / n;
  return {
    dx: multiply(dy, transpose(weight, inputs, outputs), n, inputs, outputs),
    dweight: multiply(transpose(x, n, inputs), dy, inputs, outputs, n),
    dbias: sumRows(dy, outputs),
  };
}
