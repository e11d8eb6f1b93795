/**
 * The matrix product of the cpu engine. Both factors are brought to have the summed dimension contiguous, so that the inner loop reads eight streams and keeps sixteen sums. The order of summation
 * depends on the sizes only, so the same inputs give the same bits.
 */
import { transpose } from "../plain/matrix.ts";
import type { Reals } from "../plain/storage.ts";

const DEPTH_BLOCK = 256;
const ROW_BLOCK = 64;

/** a [m, k] times b [k, n], in double. */
export function multiply(a: Reals, b: Reals, m: number, n: number, k: number): Float64Array {
  const c = new Float64Array(m * n);
  addProductTransposed(doubles(a), transpose(doubles(b), k, n), c, m, n, k);
  return c;
}

/** c [m, n] += a [m, k] times the transpose of b [n, k], all row-major. */
function addProductTransposed(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  m: number,
  n: number,
  k: number,
): void {
  for (let k0 = 0; k0 < k; k0 += DEPTH_BLOCK) {
    const k1 = Math.min(k, k0 + DEPTH_BLOCK);
    for (let i0 = 0; i0 < m; i0 += ROW_BLOCK) {
      const i1 = Math.min(m, i0 + ROW_BLOCK);
      let j = 0;
      for (; j + 4 <= n; j += 4) {
        let i = i0;
        for (; i + 4 <= i1; i += 4) addBlock4x4(a, b, c, i, j, n, k, k0, k1);
        for (; i < i1; i++) for (let jj = j; jj < j + 4; jj++) addDot(a, b, c, i, jj, n, k, k0, k1);
      }
      for (; j < n; j++) for (let i = i0; i < i1; i++) addDot(a, b, c, i, j, n, k, k0, k1);
    }
  }
}

function doubles(values: Reals): Float64Array {
  return values instanceof Float64Array ? values : Float64Array.from(values);
}

function addDot(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  i: number,
  j: number,
  n: number,
  k: number,
  k0: number,
  k1: number,
): void {
  let sum = 0;
  for (let p = i * k + k0, q = j * k + k0, end = i * k + k1; p < end; p++, q++) sum += a[p]! * b[q]!;
  c[i * n + j] = c[i * n + j]! + sum;
}

function addBlock4x4(
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  i: number,
  j: number,
  n: number,
  k: number,
  k0: number,
  k1: number,
): void {
  let a0 = i * k + k0;
  let a1 = a0 + k;
  let a2 = a1 + k;
  let a3 = a2 + k;
  let b0 = j * k + k0;
  let b1 = b0 + k;
  let b2 = b1 + k;
  let b3 = b2 + k;
  let s00 = 0;
  let s01 = 0;
  let s02 = 0;
  let s03 = 0;
  let s10 = 0;
  let s11 = 0;
  let s12 = 0;
  let s13 = 0;
  let s20 = 0;
  let s21 = 0;
  let s22 = 0;
  let s23 = 0;
  let s30 = 0;
  let s31 = 0;
  let s32 = 0;
  let s33 = 0;
  for (let p = k0; p < k1; p++) {
    const y0 = b[b0++]!;
    const y1 = b[b1++]!;
    const y2 = b[b2++]!;
    const y3 = b[b3++]!;
    let x = a[a0++]!;
    s00 += x * y0;
    s01 += x * y1;
    s02 += x * y2;
    s03 += x * y3;
    x = a[a1++]!;
    s10 += x * y0;
    s11 += x * y1;
    s12 += x * y2;
    s13 += x * y3;
    x = a[a2++]!;
    s20 += x * y0;
    s21 += x * y1;
    s22 += x * y2;
    s23 += x * y3;
    x = a[a3++]!;
    s30 += x * y0;
    s31 += x * y1;
    s32 += x * y2;
    s33 += x * y3;
  }
  let o = i * n + j;
  c[o] = c[o]! + s00;
  c[o + 1] = c[o + 1]! + s01;
  c[o + 2] = c[o + 2]! + s02;
  c[o + 3] = c[o + 3]! + s03;
  o += n;
  c[o] = c[o]! + s10;
  c[o + 1] = c[o + 1]! + s11;
  c[o + 2] = c[o + 2]! + s12;
  c[o + 3] = c[o + 3]! + s13;
  o += n;
  c[o] = c[o]! + s20;
  c[o + 1] = c[o + 1]! + s21;
  c[o + 2] = c[o + 2]! + s22;
  c[o + 3] = c[o + 3]! + s23;
  o += n;
  c[o] = c[o]! + s30;
  c[o + 1] = c[o + 1]! + s31;
  c[o + 2] = c[o + 2]! + s32;
  c[o + 3] = c[o + 3]! + s33;
}
