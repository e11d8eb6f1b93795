/** Matrices, row-major: what a product must do, and the transpose. */
import { type Reals, zerosLike } from "./storage.ts";

/** a [m, k] times b [k, n]: a new array [m, n] of the precision of a. */
export type Multiply = (a: Reals, b: Reals, m: number, n: number, k: number) => Reals;

const TILE = 16;

/** The transpose [columns, rows] of a [rows, columns]. */
export function transpose<T extends Reals>(a: T, rows: number, columns: number): T {
  const out = zerosLike(a, rows * columns);
  for (let r0 = 0; r0 < rows; r0 += TILE)
    for (let c0 = 0; c0 < columns; c0 += TILE)
      for (let c = c0, c1 = Math.min(columns, c0 + TILE); c < c1; c++)
        for (let r = r0, r1 = Math.min(rows, r0 + TILE); r < r1; r++) out[c * rows + r] = a[r * columns + c]!;
  return out;
}
