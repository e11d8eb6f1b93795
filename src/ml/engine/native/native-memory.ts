/**
 * Who owns what on the native engine: which tensors, saved values and variables are alive, and where a variable's value
 * lies. A value that was disposed, or that belongs to another engine, is refused here, before TensorFlow sees its number.
 *
 * A weight or slot moves into a resource variable at its first update, and is changed in place from then on. For that no
 * read of it may be alive (TensorFlow would copy it), so `writable` drops the read first.
 */
import type { DType, Saved, Shape, Tensor, TensorArray, Variable } from "../engine.ts";
import { attribute, BFLOAT16, FLOAT, INT32, type TensorflowOps, UINT8, VARIABLE } from "./tensorflow-ops.ts";

/** How the elements of a tensor of images lie: image after image, or position after position. */
export type Layout = "NHWC" | "HWNC";

/** How floating-point elements are held. */
export type Format = typeof FLOAT | typeof BFLOAT16;

export class NativeTensor implements Tensor {
  /** Changes when the elements are laid out anew; the tensor's meaning never does. */
  id: number;
  layout: Layout;
  format: Format;
  /** As everyone outside sees it: [n, h, w, c] in either layout. */
  readonly shape: Shape;
  /** As everyone outside sees it: float32 also where elements are held in bfloat16. */
  readonly dtype: DType;
  /** Of what `maxPool` returned: where in its (padded) input each maximum was found. */
  readonly argmax: number | undefined;

  constructor(id: number, shape: Shape, dtype: DType, { layout, format, argmax }: Held) {
    this.id = id;
    this.shape = shape;
    this.dtype = dtype;
    this.layout = layout ?? "NHWC";
    this.format = format ?? FLOAT;
    this.argmax = argmax;
  }
}

interface Held {
  readonly layout?: Layout;
  readonly format?: Format;
  readonly argmax?: number | undefined;
}

export class NativeSaved implements Saved {
  readonly saved = true;
  readonly ids: readonly number[];
  /** What else the gradient needs to know: the epsilon of a batch norm, the groups of a group norm. */
  readonly setting: number;

  constructor(ids: readonly number[], setting: number) {
    this.ids = ids;
    this.setting = setting;
  }
}

/** Always holds `value`, `resource` or both; both mean that `value` is a read of the resource. */
export class NativeVariable implements Variable {
  readonly variable = true;
  readonly shape: Shape;
  value: number | undefined;
  resource: number | undefined;
  /** The value rounded to bfloat16, once somebody wanted it. */
  rounded: number | undefined;

  constructor(shape: Shape, value: number) {
    this.shape = shape;
    this.value = value;
  }
}

/** TensorFlow's name for a variable that lives exactly as long as its handle (ResourceHandle::ANONYMOUS_NAME). */
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";

export class NativeMemory {
  readonly #ops: TensorflowOps;
  readonly #tensors = new Set<NativeTensor>();
  readonly #saved = new Set<NativeSaved>();
  readonly #variables = new Set<NativeVariable>();

  constructor(ops: TensorflowOps) {
    this.#ops = ops;
  }

  /** Tensors and saved values alive. */
  live(): number {
    return this.#tensors.size + this.#saved.size;
  }

  tensor(id: number, shape: Shape, dtype: DType = "float32", held: Held = {}): NativeTensor {
    const tensor = new NativeTensor(id, shape, dtype, held);
    this.#tensors.add(tensor);
    return tensor;
  }

  /** A new tensor that is laid out and formatted as another one is. */
  like(id: number, { layout, format, shape }: NativeTensor): NativeTensor {
    return this.tensor(id, shape, "float32", { layout, format });
  }

  /** The tensor's number, its elements image after image in float32: what an op reads that knows nothing else. */
  plain(tensor: Tensor): number {
    return this.held(tensor, "NHWC", FLOAT);
  }

  /** The tensor's number, its elements held so. Where they were not, they are from now on. */
  held(tensor: Tensor, layout: Layout, format: Format): number {
    const own = this.own(tensor);
    if (own.dtype !== "float32") return own.id;
    if (own.format !== format) own.id = this.#ops.freeing(this.#ops.cast(own.id, format), own.id);
    own.format = format;
    if (own.layout !== layout && own.shape.length === 4) {
      own.id = this.#ops.freeing(this.#ops.transpose(own.id, layout === "HWNC" ? [1, 2, 0, 3] : [2, 0, 1, 3]), own.id);
      own.layout = layout;
    }
    return own.id;
  }

  /** The tensor's number, its elements held as those of `model`. */
  heldLike(tensor: Tensor, { layout, format }: NativeTensor): number {
    return this.held(tensor, layout, format);
  }

  upload(data: TensorArray, shape: Shape): NativeTensor {
    const dtype = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "uint8";
    return this.tensor(this.#create(data, shape, CODES[dtype]), shape, dtype);
  }

  download(tensor: Tensor | Variable): TensorArray {
    const { binding } = this.#ops;
    if ("variable" in tensor) return binding.tensorDataSync(this.read(tensor));
    const { dtype } = this.own(tensor);
    const id = this.plain(tensor);
    if (dtype !== "uint8") return binding.tensorDataSync(id);
    const wide = this.#ops.cast(id, INT32);
    const data = Uint8Array.from(binding.tensorDataSync(wide));
    this.#ops.free(wide);
    return data;
  }

  dispose(tensor: Tensor): void {
    const own = this.own(tensor);
    this.#tensors.delete(own);
    this.#ops.free(own.id);
    if (own.argmax !== undefined) this.#ops.free(own.argmax);
  }

  save(ids: readonly number[], setting: number): NativeSaved {
    const saved = new NativeSaved(ids, setting);
    this.#saved.add(saved);
    return saved;
  }

  own(tensor: Tensor): NativeTensor {
    if (this.#tensors.has(tensor as NativeTensor)) return tensor as NativeTensor;
    throw new Error(`a tensor [${tensor.shape.join(", ")}] was used after it was disposed, or on another engine`);
  }

  disposeSaved(saved: Saved): void {
    const own = this.ownSaved(saved);
    this.#saved.delete(own);
    this.#ops.free(...own.ids);
  }

  ownSaved(saved: Saved): NativeSaved {
    if (this.#saved.has(saved as NativeSaved)) return saved as NativeSaved;
    throw new Error("saved values were used after they were disposed, or on another engine");
  }

  variable(data: Float32Array, shape: Shape): NativeVariable {
    const variable = new NativeVariable(shape, this.#create(data, shape, FLOAT));
    this.#variables.add(variable);
    return variable;
  }

  ownVariable(variable: Variable): NativeVariable {
    if (this.#variables.has(variable as NativeVariable)) return variable as NativeVariable;
    throw new Error(`a variable [${variable.shape.join(", ")}] was used after it was disposed, or on another engine`);
  }

  disposeVariable(variable: Variable): void {
    const own = this.ownVariable(variable);
    this.#variables.delete(own);
    this.#forget(own);
    if (own.resource !== undefined) this.#ops.free(own.resource);
  }

  /** The variable's value, as a tensor that stays the variable's. */
  read(variable: Variable): number {
    const own = this.ownVariable(variable);
    own.value ??= this.#ops.one("ReadVariableOp", VARIABLE, own.resource!);
    return own.value;
  }

  /** The variable's value, rounded to bfloat16. */
  readRounded(variable: Variable): number {
    const own = this.ownVariable(variable);
    own.rounded ??= this.#ops.cast(this.read(own), BFLOAT16);
    return own.rounded;
  }

  /** The variable's resource, with no read of it left that would make an update in place impossible. */
  writable(variable: Variable): number {
    const own = this.ownVariable(variable);
    if (own.resource === undefined) {
      const where = [attribute.shape("shape", own.shape), attribute.string("shared_name", ANONYMOUS)];
      own.resource = this.#ops.one("VarHandleOp", [...VARIABLE, ...where, attribute.string("container", "")]);
      this.#ops.many("AssignVariableOp", 0, VARIABLE, own.resource, own.value!);
    }
    this.#forget(own);
    return own.resource;
  }

  /** Gives the variable a new value, and the number of that value to the variable. */
  replace(variable: Variable, value: number): void {
    const own = this.ownVariable(variable);
    this.#forget(own);
    own.value = value;
    if (own.resource !== undefined) this.#ops.many("AssignVariableOp", 0, VARIABLE, own.resource, value);
  }

  assign(variable: Variable, data: Float32Array): void {
    this.replace(variable, this.#create(data, variable.shape, FLOAT));
  }

  close(): void {
    for (const tensor of this.#tensors) this.dispose(tensor);
    for (const saved of this.#saved) this.disposeSaved(saved);
    for (const variable of this.#variables) this.disposeVariable(variable);
  }

  #forget(own: NativeVariable): void {
    if (own.value !== undefined) this.#ops.free(own.value);
    if (own.rounded !== undefined) this.#ops.free(own.rounded);
    own.value = undefined;
    own.rounded = undefined;
  }

  /** The array is copied first, for TensorFlow may share its memory. */
  #create(data: TensorArray, shape: Shape, code: number): number {
    return this.#ops.binding.createTensor(shape, code, data.slice());
  }
}

export const CODES: Readonly<Record<DType, number>> = { float32: FLOAT, int32: INT32, uint8: UINT8 };
