/**
 * What the cpu engine keeps behind its handles. Strict on purpose: using or freeing a handle that was freed throws, so
 * a mistake in a reverse pass shows here before it shows as a crash in a native library.
 */
import type { DType, Saved, Shape, Tensor, Variable } from "../engine.ts";

export type Reals = Float32Array | Float64Array;
export type TensorData = Float64Array | Int32Array | Uint8Array;

class CpuTensor implements Tensor {
  constructor(
    readonly data: TensorData,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

class CpuVariable implements Variable {
  readonly variable = true;
  constructor(
    readonly data: Reals,
    readonly shape: Shape,
  ) {}
}

class CpuSaved implements Saved {
  readonly saved = true;
  constructor(readonly value: unknown) {}
}

export class Storage {
  readonly #live = new Set<object>();

  /** Tensors and saved values that were made and not freed. */
  liveTensors(): number {
    let count = 0;
    for (const handle of this.#live) if (!(handle instanceof CpuVariable)) count++;
    return count;
  }

  tensor(data: TensorData, shape: Shape): Tensor {
    const dtype = data instanceof Float64Array ? "float32" : data instanceof Int32Array ? "int32" : "uint8";
    return this.#keep(new CpuTensor(data, checkShape(shape, data.length), dtype));
  }

  variable(data: Reals, shape: Shape): Variable {
    return this.#keep(new CpuVariable(data, checkShape(shape, data.length)));
  }

  saved(value: unknown): Saved {
    return this.#keep(new CpuSaved(value));
  }

  data(tensor: Tensor): TensorData {
    this.#check(tensor);
    return (tensor as CpuTensor).data;
  }

  /** The elements of a float32 tensor. */
  reals(tensor: Tensor): Float64Array {
    const data = this.data(tensor);
    if (!(data instanceof Float64Array)) throw new TypeError(`a float32 tensor was expected, not ${tensor.dtype}`);
    return data;
  }

  state(variable: Variable): Reals {
    this.#check(variable);
    return (variable as CpuVariable).data;
  }

  savedValue<T>(saved: Saved): T {
    this.#check(saved);
    return (saved as CpuSaved).value as T;
  }

  free(handle: Tensor | Variable | Saved): void {
    this.#check(handle);
    this.#live.delete(handle);
  }

  freeAll(): void {
    this.#live.clear();
  }

  #keep<T extends object>(handle: T): T {
    this.#live.add(handle);
    return handle;
  }

  #check(handle: object): void {
    if (!this.#live.has(handle)) throw new Error("a handle was used after it was freed, or belongs to another engine");
  }
}

function checkShape(shape: Shape, length: number): Shape {
  if (shape.reduce((a, b) => a * b, 1) !== length)
    throw new RangeError(`${length} elements do not make a tensor of shape [${shape}]`);
  return [...shape];
}
