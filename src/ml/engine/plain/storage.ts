/**
 * What an engine written in TypeScript keeps behind its handles: typed arrays. Strict on purpose: using or freeing a
 * handle that was freed throws, so a mistake in a reverse pass shows here before it crashes a native library.
 */
import type { DType, Saved, Shape, Tensor, Variable } from "../engine.ts";
import { elementsOf } from "./shapes.ts";

/** Elements of float32 tensors and variables: in float32, or in double where an engine computes in double. */
export type Reals = Float32Array | Float64Array;
export type TensorData = Reals | Int32Array | Uint8Array;

/** Zeros in the precision of `array`. */
export function zerosLike<T extends Reals>(array: T, length: number): T {
  return (array instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

class StoredTensor implements Tensor {
  constructor(
    readonly data: TensorData,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

class StoredVariable implements Variable {
  readonly variable = true;
  constructor(
    readonly data: Reals,
    readonly shape: Shape,
  ) {}
}

class StoredValue implements Saved {
  readonly saved = true;
  constructor(readonly value: unknown) {}
}

export class Storage {
  readonly #live = new Set<object>();
  #variables = 0;

  /** Tensors and saved values that were made and not freed. */
  liveTensors(): number {
    return this.#live.size - this.#variables;
  }

  /** Keeps `data` itself, not a copy. */
  tensor(data: TensorData, shape: Shape): Tensor {
    const dtype = data instanceof Int32Array ? "int32" : data instanceof Uint8Array ? "uint8" : "float32";
    return this.#keep(new StoredTensor(data, checkedShape(shape, data), dtype));
  }

  /** Keeps `data` itself, not a copy. */
  variable(data: Reals, shape: Shape): Variable {
    const variable = this.#keep(new StoredVariable(data, checkedShape(shape, data)));
    this.#variables++;
    return variable;
  }

  saved(value: unknown): Saved {
    return this.#keep(new StoredValue(value));
  }

  data(tensor: Tensor): TensorData {
    this.#check(tensor);
    return (tensor as StoredTensor).data;
  }

  /** The elements of a float32 tensor, or a variable's own. */
  reals(handle: Tensor | Variable): Reals {
    this.#check(handle);
    const { data } = handle as StoredTensor | StoredVariable;
    if (data instanceof Int32Array || data instanceof Uint8Array)
      throw new TypeError("a float32 tensor was expected, not one of integers");
    return data;
  }

  savedValue<T>(saved: Saved): T {
    this.#check(saved);
    return (saved as StoredValue).value as T;
  }

  free(handle: Tensor | Variable | Saved): void {
    this.#check(handle);
    this.#live.delete(handle);
    if (handle instanceof StoredVariable) this.#variables--;
  }

  freeAll(): void {
    this.#live.clear();
    this.#variables = 0;
  }

  #keep<T extends object>(handle: T): T {
    this.#live.add(handle);
    return handle;
  }

  #check(handle: object): void {
    if (!this.#live.has(handle)) throw new Error("a handle was used after it was freed, or belongs to another engine");
  }
}

function checkedShape(shape: Shape, data: TensorData): Shape {
  if (elementsOf(shape) !== data.length)
    throw new RangeError(`${data.length} elements do not make a tensor of shape [${shape}]`);
  return [...shape];
}
