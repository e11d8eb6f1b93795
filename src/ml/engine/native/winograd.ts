/**
 * Winograd convolutions (Lavin & Gray 2016, arXiv:1509.09308) out of TensorFlow's matrix products: stride 1, 3 x 3, padding
 * 1, one group. Four times fewer multiplications than the direct way, and rounding errors of another kind, which
 * `contract/` bounds.
 *
 *     V = input · x      U = filter · w      y = output · (V U)        each product of V and U a matrix product over channels
 *
 * Both gradients are the same three steps transposed, so they are exact gradients of what forward computes. Images come and
 * go with the position first, [h, w, n, c]: then a transform is one matrix product without a copy.
 */
import type { Shape } from "../engine.ts";
import type { TensorflowOps } from "./tensorflow-ops.ts";
import { kronecker, type Matrix, type RowTransform, rowTransform } from "./winograd-matrices.ts";

/** Up to so many pixels rows and columns are transformed by one matrix, beyond by one after the other. */
const WHOLE_PIXELS = 64;

interface Plan {
  readonly rows: RowTransform;
  readonly columns: RowTransform;
  /** One matrix [transformed, pixels] instead of two. */
  readonly whole: boolean;
  readonly products: number;
  readonly tiles: number;
}

export class Winograd {
  readonly #ops: TensorflowOps;
  readonly #plans = new Map<string, Plan>();

  constructor(ops: TensorflowOps) {
    this.#ops = ops;
  }

  /** x [h, w, n, cin] and filter [3, 3, cin, cout] -> [h, w, n, cout]. Frees nothing it was given. */
  forward(x: number, shape: Shape, filter: number, channels: number): number {
    const plan = this.#plan(shape);
    const [transformed, weights] = [
      this.#enter(x, shape, plan, "input"),
      this.#filter(filter, plan, shape[3]!, channels),
    ];
    const product = this.#ops.batchMatMul(transformed, weights, false);
    this.#ops.free(transformed, weights);
    return this.#leave(product, [...shape.slice(0, 3), channels], plan, "output");
  }

  /** Both gradients from dy [h, w, n, cout]; `dx` only where it is wanted. */
  gradient(dy: number, x: number, shape: Shape, filter: number, channels: number, wantInput: boolean) {
    const ops = this.#ops;
    const plan = this.#plan(shape);
    const cin = shape[3]!;
    const outer = this.#enter(dy, [...shape.slice(0, 3), channels], plan, "output");
    const inner = this.#enter(x, shape, plan, "input");
    const product = ops.batchMatMul(inner, outer, true);
    ops.free(inner);
    const flat = ops.freeing(ops.reshape(product, [plan.products, cin * channels]), product);
    const taps = ops.freeing(ops.matMul(this.#filterMatrix(plan), flat, true), flat);
    const dfilter = ops.freeing(ops.reshape(taps, [3, 3, cin, channels]), taps);
    if (!wantInput) {
      ops.free(outer);
      return { dx: undefined, dfilter };
    }
    const weights = this.#filter(filter, plan, cin, channels);
    const spread = ops.batchMatMul(outer, weights, false, true);
    ops.free(outer, weights);
    return { dx: this.#leave(spread, shape, plan, "input"), dfilter };
  }

  /** [h, w, n, c] -> [products, tiles n, c], by a matrix or the transpose of its counterpart. */
  #enter(x: number, [height, width, n, c]: Shape, plan: Plan, side: "input" | "output"): number {
    const ops = this.#ops;
    const { rows, columns, products, tiles } = plan;
    const transposed = side === "output";
    const out = [products, tiles * n!, c!];
    if (plan.whole) {
      const pixels = ops.reshape(x, [height! * width!, n! * c!]);
      const mixed = ops.freeing(ops.matMul(this.#wholeMatrix(plan, side), pixels, transposed), pixels);
      return ops.freeing(ops.reshape(mixed, out), mixed);
    }
    const lines = ops.reshape(x, [height!, width! * n! * c!]);
    const high = ops.freeing(ops.matMul(this.#rowMatrix(rows, side), lines, transposed), lines);
    const split = ops.freeing(ops.reshape(high, [rows.products * rows.tiles, width!, n! * c!]), high);
    const both = ops.freeing(ops.batchMatMul(this.#rowMatrix(columns, side), split, transposed), split);
    const apart = ops.freeing(
      ops.reshape(both, [rows.products, rows.tiles, columns.products, columns.tiles * n! * c!]),
      both,
    );
    const gathered = ops.freeing(ops.transpose(apart, [0, 2, 1, 3]), apart);
    return ops.freeing(ops.reshape(gathered, out), gathered);
  }

  /** The way back: [products, tiles n, c] -> [h, w, n, c]. Frees `y`. */
  #leave(y: number, shape: Shape, plan: Plan, side: "input" | "output"): number {
    const ops = this.#ops;
    const { rows, columns, products, tiles } = plan;
    const [height, width, n, c] = shape as readonly [number, number, number, number];
    const transposed = side === "input";
    if (plan.whole) {
      const flat = ops.freeing(ops.reshape(y, [products * tiles, n * c]), y);
      const mixed = ops.freeing(ops.matMul(this.#wholeMatrix(plan, side), flat, transposed), flat);
      return ops.freeing(ops.reshape(mixed, shape), mixed);
    }
    const apart = ops.freeing(ops.reshape(y, [rows.products, columns.products, rows.tiles, columns.tiles * n * c]), y);
    const gathered = ops.freeing(ops.transpose(apart, [0, 2, 1, 3]), apart);
    const split = ops.freeing(
      ops.reshape(gathered, [rows.products * rows.tiles, columns.products * columns.tiles, n * c]),
      gathered,
    );
    const narrow = ops.freeing(ops.batchMatMul(this.#rowMatrix(columns, side), split, transposed), split);
    const lines = ops.freeing(ops.reshape(narrow, [rows.products * rows.tiles, width * n * c]), narrow);
    const both = ops.freeing(ops.matMul(this.#rowMatrix(rows, side), lines, transposed), lines);
    return ops.freeing(ops.reshape(both, [height, width, n, c]), both);
  }

  /** [3, 3, cin, cout] -> [products, cin, cout]. */
  #filter(filter: number, plan: Plan, cin: number, cout: number): number {
    const ops = this.#ops;
    const taps = ops.reshape(filter, [9, cin * cout]);
    const mixed = ops.freeing(ops.matMul(this.#filterMatrix(plan), taps), taps);
    return ops.freeing(ops.reshape(mixed, [plan.products, cin, cout]), mixed);
  }

  #plan([height, width]: Shape): Plan {
    const key = `${height} ${width}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    const [rows, columns] = [rowTransform(height!), rowTransform(width!)];
    const plan = {
      rows,
      columns,
      whole: height! * width! <= WHOLE_PIXELS,
      products: rows.products * columns.products,
      tiles: rows.tiles * columns.tiles,
    };
    this.#plans.set(key, plan);
    return plan;
  }

  // -- matrices, uploaded once ----------------------------------------------------------------------------------------

  #rowMatrix(transform: RowTransform, side: "input" | "output"): number {
    return this.#matrix(`${side} ${transform.size}`, () => transform[side]);
  }

  /** Rows and columns at once. Transformed elements are in the order (product, product, tile, tile). */
  #wholeMatrix({ rows, columns }: Plan, side: "input" | "output"): number {
    return this.#matrix(`${side} ${rows.size} ${columns.size}`, () => {
      const order = transformedOrder(rows, columns);
      const both = kronecker(rows[side], columns[side]);
      return side === "input" ? order.map((row) => both[row]!) : both.map((row) => order.map((column) => row[column]!));
    });
  }

  #filterMatrix({ rows, columns }: Plan): number {
    return this.#matrix(`filter ${Math.min(rows.size, 4)} ${Math.min(columns.size, 4)}`, () =>
      kronecker(rows.filter, columns.filter),
    );
  }

  #matrix(key: string, make: () => Matrix): number {
    return this.#ops.matrix(`winograd ${key}`, make);
  }
}

/** Where (product, product, tile, tile) lies among (product, tile, product, tile). */
function transformedOrder(rows: RowTransform, columns: RowTransform): number[] {
  const order: number[] = [];
  for (let a = 0; a < rows.products; a++)
    for (let b = 0; b < columns.products; b++)
      for (let s = 0; s < rows.tiles; s++)
        for (let t = 0; t < columns.tiles; t++)
          order.push(((a * rows.tiles + s) * columns.products + b) * columns.tiles + t);
  return order;
}
