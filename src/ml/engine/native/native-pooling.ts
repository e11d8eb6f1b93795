/**
 * Pooling on the native engine. TensorFlow's own positions of maxima are kept for the gradient, and averages over cells of
 * unequal size are products with a matrix.
 */
import type { PoolGeometry, Shape, Tensor } from "../engine.ts";
import type { OpAttribute } from "./binding.ts";
import { cropped, paddedShape } from "./native-convolution.ts";
import type { Format, NativeMemory, NativeTensor } from "./native-memory.ts";
import {
  attribute,
  FLOAT,
  INT64,
  NHWC,
  NONE,
  POSITIONS_INT32,
  POSITIONS_INT64,
  type TensorflowOps,
} from "./tensorflow-ops.ts";
import { planWindow, type Window } from "./window.ts";

/** Above so many elements positions of maxima do not fit 32 bits. */
const INT32_POSITIONS = 2 ** 31 - 1;

export class NativePooling {
  readonly #ops: TensorflowOps;
  readonly #memory: NativeMemory;
  readonly #gpu: boolean;

  constructor(ops: TensorflowOps, memory: NativeMemory, gpu: boolean) {
    this.#ops = ops;
    this.#memory = memory;
    this.#gpu = gpu;
  }

  /** On the CPU positions are kept for the gradient: TensorFlow's plain MaxPoolGrad searches them again, seven times slower. */
  max(x: Tensor, geometry: PoolGeometry): NativeTensor {
    const window = poolWindow(x, geometry);
    const input = this.#input(x, window);
    const attributes = poolAttributes(geometry, window);
    const [y, argmax] = this.#gpu
      ? this.#ops.binding.executeOp("MaxPool", [...attributes, NHWC], [input], 1)
      : this.#ops.binding.executeOp("MaxPoolWithArgmax", [...attributes, ...positions(x.shape, window)], [input], 2);
    this.#ops.free(input);
    const { format } = this.#memory.own(x);
    const id = format === FLOAT ? y!.id : this.#ops.freeing(this.#ops.cast(y!.id, format), y!.id);
    return this.#memory.tensor(id, y!.shape, "float32", { argmax: argmax?.id, format });
  }

  maxGradient(dy: Tensor, x: Tensor, y: Tensor, geometry: PoolGeometry): NativeTensor {
    const ops = this.#ops;
    const window = poolWindow(x, geometry);
    const attributes = poolAttributes(geometry, window);
    const { argmax } = this.#memory.own(y);
    if (argmax === undefined) {
      const input = this.#input(x, window);
      const parts = [input, this.#memory.plain(y), this.#memory.plain(dy)];
      const dx = ops.freeing(ops.one("MaxPoolGrad", [...attributes, NHWC], ...parts), input);
      return this.#memory.tensor(cropped(ops, dx, x.shape, window), x.shape);
    }
    const { format } = this.#memory.own(x);
    // The op reads nothing of its first input but the shape.
    const like = ops.one("Empty", emptyOf(format), ops.ints(paddedShape(x.shape, window)));
    const narrow = fitsInt32(x.shape, window);
    const at = narrow ? ops.cast(argmax, INT64) : argmax;
    const gradient = this.#memory.held(dy, "NHWC", format);
    const dx = ops.one("MaxPoolGradWithArgmax", [...attributes, ...POSITIONS_INT64], like, gradient, at);
    ops.free(like);
    if (narrow) ops.free(at);
    return this.#memory.tensor(cropped(ops, dx, x.shape, window), x.shape, "float32", { format });
  }

  average(x: Tensor, size: number): NativeTensor {
    const [n, height, width, channels] = x.shape as readonly [number, number, number, number];
    const shape = [n, size, size, channels];
    if (size === 1) {
      const { layout } = this.#memory.own(x);
      const mean = this.#ops.reduce(
        "Mean",
        this.#memory.held(x, layout, FLOAT),
        layout === "NHWC" ? [1, 2] : [0, 1],
        false,
      );
      return this.#memory.tensor(this.#ops.freeing(this.#ops.reshape(mean, shape), mean), shape);
    }
    const weights = this.#poolingWeights(height, width, size);
    const rows = this.#ops.reshape(this.#memory.plain(x), [n, height * width, channels]);
    const pooled = this.#ops.freeing(this.#ops.batchMatMul(weights, rows, false), rows);
    return this.#memory.tensor(this.#ops.freeing(this.#ops.reshape(pooled, shape), pooled), shape);
  }

  averageGradient(dy: Tensor, inputShape: Shape): NativeTensor {
    const [n, height, width, channels] = inputShape as readonly [number, number, number, number];
    const size = dy.shape[1]!;
    if (size === 1) {
      const share = this.#ops.multiply(this.#memory.plain(dy), this.#ops.scalar(1 / (height * width)));
      return this.#memory.tensor(this.#ops.freeing(this.#ops.broadcast(share, inputShape), share), inputShape);
    }
    const weights = this.#poolingWeights(height, width, size);
    const cells = this.#ops.reshape(this.#memory.plain(dy), [n, size * size, channels]);
    const spread = this.#ops.freeing(this.#ops.batchMatMul(weights, cells, true), cells);
    return this.#memory.tensor(this.#ops.freeing(this.#ops.reshape(spread, inputShape), spread), inputShape);
  }

  /**
   * In float32, whose maxima are found six times as fast as those of bfloat16, with the rows that the window wants: the
   * caller's to free. `x` stays as it is held.
   */
  #input(x: Tensor, { pad }: Window): number {
    const ops = this.#ops;
    const { format } = this.#memory.own(x);
    const held = this.#memory.held(x, "NHWC", format);
    const id = format === FLOAT ? ops.one("Identity", NONE, held) : ops.cast(held, FLOAT);
    if (pad === undefined) return id;
    const lowest = ops.scalar(Number.NEGATIVE_INFINITY);
    return ops.freeing(ops.one("PadV2", NONE, id, ops.paddings(...pad), lowest), id);
  }

  /** [size size, height width]: row i averages the pixels of cell i. */
  #poolingWeights(height: number, width: number, size: number): number {
    return this.#ops.floats(`cells ${height} ${width} ${size}`, [size * size, height * width], () => {
      const weights = new Float32Array(size * size * height * width);
      for (let cell = 0; cell < size * size; cell++) {
        const [top, bottom] = cellRange(Math.floor(cell / size), height, size);
        const [left, right] = cellRange(cell % size, width, size);
        const share = 1 / ((bottom - top) * (right - left));
        for (let row = top; row < bottom; row++) {
          weights.fill(share, (cell * height + row) * width + left, (cell * height + row) * width + right);
        }
      }
      return weights;
    });
  }
}

function emptyOf(format: Format): readonly OpAttribute[] {
  return [attribute.type("dtype", format), attribute.bool("init", false)];
}

function poolAttributes({ size, stride }: PoolGeometry, { mode }: Window): readonly OpAttribute[] {
  return [
    attribute.int("ksize", [1, size, size, 1]),
    attribute.int("strides", [1, stride, stride, 1]),
    attribute.string("padding", mode),
  ];
}

function poolWindow(x: Tensor, { size, stride, padding }: PoolGeometry): Window {
  return planWindow(x.shape[1]!, x.shape[2]!, size, size, stride, padding);
}

/** The positions of maxima: int32 is found three times as fast as int64. */
function positions(shape: Shape, window: Window): readonly OpAttribute[] {
  return fitsInt32(shape, window) ? POSITIONS_INT32 : POSITIONS_INT64;
}

function fitsInt32(shape: Shape, window: Window): boolean {
  return paddedShape(shape, window).reduce((a, b) => a * b, 1) <= INT32_POSITIONS;
}

/** Rows floor(i size / cells) to ceil((i + 1) size / cells), exclusive. */
function cellRange(index: number, size: number, cells: number): readonly [number, number] {
  return [Math.floor((index * size) / cells), Math.ceil(((index + 1) * size) / cells)];
}
