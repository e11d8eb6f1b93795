/**
 * Calls TensorFlow ops by number: the thin layer between the engine and the binding. Constants (shapes, paddings,
 * scalars) are uploaded once per engine and reused; everything else that comes out of here belongs to the caller.
 */
import type { NativeBinding, OpAttribute } from "./binding.ts";

// TensorFlow's DataType and TF_AttrType numbers (tensorflow/c/tf_datatype.h, tf_attrtype.h).
export const FLOAT = 1;
export const INT32 = 3;
export const UINT8 = 4;
export const INT64 = 9;
export const BFLOAT16 = 14;
const ATTR_STRING = 0;
const ATTR_INT = 1;
const ATTR_FLOAT = 2;
const ATTR_BOOL = 3;
const ATTR_TYPE = 4;
const ATTR_SHAPE = 5;

export const attribute = {
  type: (name: string, value: number): OpAttribute => ({ name, type: ATTR_TYPE, value }),
  int: (name: string, value: number | readonly number[]): OpAttribute => ({ name, type: ATTR_INT, value }),
  float: (name: string, value: number): OpAttribute => ({ name, type: ATTR_FLOAT, value }),
  bool: (name: string, value: boolean): OpAttribute => ({ name, type: ATTR_BOOL, value }),
  string: (name: string, value: string): OpAttribute => ({ name, type: ATTR_STRING, value }),
  shape: (name: string, value: readonly number[]): OpAttribute => ({ name, type: ATTR_SHAPE, value }),
};

export const FLOAT_T: OpAttribute = { name: "T", type: ATTR_TYPE, value: FLOAT };
export const NHWC: OpAttribute = { name: "data_format", type: ATTR_STRING, value: "NHWC" };
/** Of the ops that add a bias per channel. */
export const BIAS: readonly OpAttribute[] = [FLOAT_T, NHWC];
export const VARIABLE: readonly OpAttribute[] = [{ name: "dtype", type: ATTR_TYPE, value: FLOAT }];
export const UNLOCKED: OpAttribute = { name: "use_locking", type: ATTR_BOOL, value: false };
export const LABELS: OpAttribute = { name: "Tlabels", type: ATTR_TYPE, value: INT32 };
export const PADDINGS: OpAttribute = { name: "Tpaddings", type: ATTR_TYPE, value: INT32 };
const WHOLE_BATCH: OpAttribute = { name: "include_batch_in_index", type: ATTR_BOOL, value: true };
export const POSITIONS_INT32: readonly OpAttribute[] = [
  { name: "Targmax", type: ATTR_TYPE, value: INT32 },
  WHOLE_BATCH,
];
export const POSITIONS_INT64: readonly OpAttribute[] = [
  { name: "Targmax", type: ATTR_TYPE, value: INT64 },
  WHOLE_BATCH,
];
export const NONE: readonly OpAttribute[] = [];
const CASTS: Readonly<Record<number, readonly OpAttribute[]>> = Object.fromEntries(
  [FLOAT, INT32, UINT8, INT64, BFLOAT16].map((to) => [
    to,
    [
      { name: "DstT", type: ATTR_TYPE, value: to },
      { name: "Truncate", type: ATTR_BOOL, value: false },
    ],
  ]),
);
const KEEP_AXES: readonly OpAttribute[] = [{ name: "keep_dims", type: ATTR_BOOL, value: true }];
const DROP_AXES: readonly OpAttribute[] = [{ name: "keep_dims", type: ATTR_BOOL, value: false }];
/** At [transposed a + 2 transposed b]. */
const PRODUCTS = transpositions("transpose_a", "transpose_b");
const BATCH_PRODUCTS = transpositions("adj_x", "adj_y");

function transpositions(a: string, b: string): readonly (readonly OpAttribute[])[] {
  return [0, 1, 2, 3].map((which) => [
    { name: a, type: ATTR_BOOL, value: which % 2 === 1 },
    { name: b, type: ATTR_BOOL, value: which >= 2 },
  ]);
}

/** How many changing scalars (learning rates) are kept. */
const SCALARS_KEPT = 256;

export class TensorflowOps {
  readonly binding: NativeBinding;
  readonly #constants = new Map<string, number>();
  readonly #scalars = new Map<number, number>();

  constructor(binding: NativeBinding) {
    this.binding = binding;
  }

  /** Runs an op with one output. */
  one(op: string, attributes: readonly OpAttribute[], ...inputs: readonly number[]): number {
    return this.binding.executeOp(op, attributes, inputs, 1)[0]!.id;
  }

  /** Runs an op with any number of outputs. */
  many(op: string, outputs: number, attributes: readonly OpAttribute[], ...inputs: readonly number[]): number[] {
    return this.binding.executeOp(op, attributes, inputs, outputs).map((output) => output.id);
  }

  free(...ids: readonly number[]): void {
    for (const id of ids) this.binding.deleteTensor(id);
  }

  /** Frees `id` and returns `result`: for chains of ops where each step makes the one before it superfluous. */
  freeing(result: number, id: number): number {
    this.binding.deleteTensor(id);
    return result;
  }

  // -- constants: never freed by the caller ---------------------------------------------------------------------------

  ints(values: readonly number[]): number {
    return this.#constant(`i${values.join()}`, () =>
      this.binding.createTensor([values.length], INT32, Int32Array.from(values)),
    );
  }

  /** Rows added before and after height and width of an NHWC tensor. */
  paddings(top: number, bottom: number, left: number, right: number): number {
    return this.#constant(`p${top},${bottom},${left},${right}`, () =>
      this.binding.createTensor([4, 2], INT32, Int32Array.of(0, 0, top, bottom, left, right, 0, 0)),
    );
  }

  /** Taps added on every side of a filter. */
  tapPaddings(taps: number): number {
    return this.#constant(`t${taps}`, () =>
      this.binding.createTensor([4, 2], INT32, Int32Array.of(taps, taps, taps, taps, 0, 0, 0, 0)),
    );
  }

  floats(key: string, shape: readonly number[], make: () => Float32Array): number {
    return this.#constant(`f${key}`, () => this.binding.createTensor(shape, FLOAT, make()));
  }

  matrix(key: string, make: () => readonly (readonly number[])[]): number {
    return this.#constant(`m${key}`, () => {
      const rows = make();
      return this.binding.createTensor([rows.length, rows[0]!.length], FLOAT, Float32Array.from(rows.flat()));
    });
  }

  scalar(value: number): number {
    // The one used longest ago makes room: never one that the op at hand has just asked for.
    const id = this.#scalars.get(value) ?? this.binding.createTensor([], FLOAT, Float32Array.of(value));
    this.#scalars.delete(value);
    this.#scalars.set(value, id);
    if (this.#scalars.size > SCALARS_KEPT) {
      const [oldest, oldestId] = this.#scalars.entries().next().value!;
      this.#scalars.delete(oldest);
      this.free(oldestId);
    }
    return id;
  }

  close(): void {
    this.free(...this.#constants.values(), ...this.#scalars.values());
    this.#constants.clear();
    this.#scalars.clear();
  }

  #constant(key: string, make: () => number): number {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const id = make();
    this.#constants.set(key, id);
    return id;
  }

  // -- ops with the attributes they always have -----------------------------------------------------------------------

  // Attributes that say what type an input has are left out: TensorFlow reads it off the input.

  add = (a: number, b: number): number => this.one("AddV2", NONE, a, b);
  subtract = (a: number, b: number): number => this.one("Sub", NONE, a, b);
  multiply = (a: number, b: number): number => this.one("Mul", NONE, a, b);

  reshape(x: number, shape: readonly number[]): number {
    return this.one("Reshape", NONE, x, this.ints(shape));
  }

  transpose(x: number, axes: readonly number[]): number {
    return this.one("Transpose", NONE, x, this.ints(axes));
  }

  cast(x: number, to: number): number {
    return this.one("Cast", CASTS[to]!, x);
  }

  /** Mean or sum over axes. */
  reduce(op: "Mean" | "Sum", x: number, axes: readonly number[], keepAxes: boolean): number {
    return this.one(op, keepAxes ? KEEP_AXES : DROP_AXES, x, this.ints(axes));
  }

  matMul(a: number, b: number, transposeA = false, transposeB = false): number {
    return this.one("MatMul", PRODUCTS[Number(transposeA) + 2 * Number(transposeB)]!, a, b);
  }

  /** a [.., i, j] by each b [n, j, k]; `transposeA` takes a as [.., j, i], `transposeB` b as [n, k, j]. */
  batchMatMul(a: number, b: number, transposeA: boolean, transposeB = false): number {
    return this.one("BatchMatMulV2", BATCH_PRODUCTS[Number(transposeA) + 2 * Number(transposeB)]!, a, b);
  }

  broadcast(x: number, shape: readonly number[]): number {
    return this.one("BroadcastTo", NONE, x, this.ints(shape));
  }

  /** The part of `x` that begins at `begin`. */
  slice(x: number, begin: readonly number[], shape: readonly number[]): number {
    return this.one("Slice", NONE, x, this.ints(begin), this.ints(shape));
  }
}
