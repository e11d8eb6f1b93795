/**
 * The cosine of a double, correctly rounded.
 *
 * `Math.cos` may differ in the last bit between versions of JavaScript engines, and learning rates are training results
 * and keys: they must not. Taylor's series in 256-bit fixed point is exact enough and costs nothing at once an epoch.
 */

const FRACTION_BITS = 256n;
const ONE = 1n << FRACTION_BITS;

/** cos(x) for |x| up to 1000 radians. */
export function exactCosine(x: number): number {
  if (!(Math.abs(x) <= 1000)) throw new Error(`an angle out of range: ${x}`);
  // Powers of two scale doubles exactly, and 2^-200 of a radian is far below what counts.
  const fixed = BigInt(Math.trunc(x * 2 ** 100)) << (FRACTION_BITS - 100n);
  const square = (fixed * fixed) >> FRACTION_BITS;
  let term = ONE;
  let sum = 0n;
  for (let n = 1n; term !== 0n; n += 2n) {
    sum += term;
    term = -((term * square) >> FRACTION_BITS) / (n * (n + 1n));
  }
  // 70 bits are kept, more than a double's 53: Number() then rounds once, to nearest.
  const excess = sum < 0n ? bitLength(-sum) - 70 : bitLength(sum) - 70;
  return excess > 0
    ? Number(sum >> BigInt(excess)) * 2 ** (excess - Number(FRACTION_BITS))
    : Number(sum) * 2 ** -Number(FRACTION_BITS);
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
