/**
 * The transforms of Winograd's convolution F(m, 3) for whole rows: what a row of an image, a 3-tap filter and a row of the
 * result are multiplied with, so that the convolution between them becomes one product per transformed element.
 *
 * Lavin & Gray 2016 (arXiv:1509.09308), made by the Toom-Cook construction: n = m + 2 products give m outputs, where the
 * direct way takes 3 m. A row is cut into tiles of m outputs; zero padding of 1 is part of the matrices, so nothing is ever
 * padded or sliced. A two-dimensional transform is one along rows and one along columns.
 *
 *     y = out · ((g · w) ∗ (input · x))      for a row x of `size` pixels and taps w
 */

export interface RowTransform {
  readonly size: number;
  /** Products per tile. */
  readonly products: number;
  readonly tiles: number;
  /** [products tiles, size], product-major. */
  readonly input: Matrix;
  /** [size, products tiles]. */
  readonly output: Matrix;
  /** [products, 3]. */
  readonly filter: Matrix;
}

export type Matrix = readonly (readonly number[])[];

/**
 * Where the polynomials are evaluated, beside infinity. One half instead of two: the entries stay small, and the rounding
 * error is a third of that of 0, 1, -1, 2, -2 (Barabasz et al. 2018, arXiv:1803.10986).
 */
const POINTS: Readonly<Record<3 | 4, readonly number[]>> = { 3: [0, 1, -1, 2], 4: [0, 1, -1, 0.5, -2] };

/** Transforms of rows of `size` pixels under a 3-tap filter with one pixel of padding at each end. */
export function rowTransform(size: number): RowTransform {
  // One pixel meets the middle tap alone.
  if (size === 1) return { size, products: 1, tiles: 1, input: [[1]], output: [[1]], filter: [[0, 1, 0]] };
  // Two: the outputs share the product of the middle tap and the sum (Karatsuba), and nothing is rounded but sums.
  if (size === 2)
    return {
      size,
      products: 3,
      tiles: 1,
      input: [
        [1, 1],
        [0, 1],
        [1, 0],
      ],
      output: [
        [1, 1, 0],
        [1, 0, 1],
      ],
      filter: [
        [0, 1, 0],
        [0, -1, 1],
        [1, -1, 0],
      ],
    };
  const perTile = size === 3 ? 3 : 4;
  const { input, output, filter } = toomCook(perTile, POINTS[perTile]);
  const products = perTile + 2;
  const tiles = Math.ceil(size / perTile);
  const rowInput = Array.from({ length: products * tiles }, () => new Array<number>(size).fill(0));
  const rowOutput = Array.from({ length: size }, () => new Array<number>(products * tiles).fill(0));
  for (let product = 0; product < products; product++)
    for (let tile = 0; tile < tiles; tile++) {
      const row = product * tiles + tile;
      for (let k = 0; k < products; k++) {
        const pixel = tile * perTile - 1 + k;
        if (pixel >= 0 && pixel < size) rowInput[row]![pixel] = input[product]![k]!;
      }
      for (let k = 0; k < perTile; k++) {
        const pixel = tile * perTile + k;
        if (pixel < size) rowOutput[pixel]![row] = output[k]![product]!;
      }
    }
  return { size, products, tiles, input: rowInput, output: rowOutput, filter };
}

/** Matrices of one tile: input [n, n], output [m, n], filter [n, 3], n = m + 2. */
function toomCook(m: number, points: readonly number[]): { input: Matrix; output: Matrix; filter: Matrix } {
  const others = (i: number) => points.filter((_, j) => j !== i);
  const scale = points.map((point, i) => others(i).reduce((product, other) => product * (point - other), 1));
  const filter = [...points.map((point, i) => [0, 1, 2].map((power) => point ** power / scale[i]!)), [0, 0, 1]];
  const input = [...points.map((_, i) => [...fromRoots(others(i)), 0]), fromRoots(points)];
  const output = Array.from({ length: m }, (_, power) => [
    ...points.map((point) => point ** power),
    power === m - 1 ? 1 : 0,
  ]);
  return { input, output, filter };
}

/** Coefficients, lowest first, of the product of (x - root). */
function fromRoots(roots: readonly number[]): number[] {
  let polynomial = [1];
  for (const root of roots)
    polynomial = Array.from(
      { length: polynomial.length + 1 },
      (_, power) => (polynomial[power - 1] ?? 0) - root * (polynomial[power] ?? 0),
    );
  return polynomial;
}

/** The Kronecker product, row-major: rows (a, b) by columns (a, b). */
export function kronecker(a: Matrix, b: Matrix): Matrix {
  return a.flatMap((left) => b.map((right) => left.flatMap((x) => right.map((y) => x * y))));
}
