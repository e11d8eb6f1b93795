/**
 * What the webgpu engine keeps behind its handles: tensors on the device, counted. Strict like the plain engines'
 * storage: a handle that was freed, or is another engine's, is refused.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { DType, Saved, Shape, Tensor, TensorArray, Variable } from "../engine.ts";
import { checkSameShape, elementsOf } from "../plain/shapes.ts";
import type { GpuDevice } from "./device.ts";

class GpuTensor implements Tensor {
  constructor(
    readonly info: TensorInfo,
    readonly shape: Shape,
    readonly dtype: DType,
    /** Of int32 tensors as uploaded: labels are checked by it, since a GPU would read past its arrays in silence. */
    readonly range: readonly [low: number, high: number] | undefined,
  ) {}
}

class GpuVariable implements Variable {
  readonly variable = true;
  constructor(
    public info: TensorInfo,
    readonly shape: Shape,
  ) {}
}

class GpuSaved implements Saved {
  readonly saved = true;
  constructor(readonly infos: Readonly<Record<string, TensorInfo>>) {}
}

export class GpuMemory {
  readonly #live = new Set<object>();
  #variables = 0;

  constructor(private readonly device: GpuDevice) {}

  /** Tensors and saved values that were made and not freed. */
  liveTensors(): number {
    return this.#live.size - this.#variables;
  }

  upload(data: TensorArray, shape: Shape): Tensor {
    const dtype = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "uint8";
    const range =
      data instanceof Int32Array
        ? data.reduce<[number, number]>(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [0, 0])
        : undefined;
    return this.#keep(new GpuTensor(this.write(data, shape), [...shape], dtype, range));
  }

  /** A tensor on the device that is not counted, for constants within an op. Pixels become int32: WGSL has no bytes. */
  write(data: TensorArray, shape: Shape): TensorInfo {
    checkSameShape("upload", [elementsOf(shape)], [data.length]);
    const values = data instanceof Uint8Array ? Int32Array.from(data) : data.slice();
    const dtype = values instanceof Float32Array ? "float32" : "int32";
    return this.device.backend.makeTensorInfo([...shape], dtype, values);
  }

  async download(handle: Tensor | Variable): Promise<TensorArray> {
    const values = await this.device.backend.read(this.info(handle).dataId);
    const complaint = this.device.complaint();
    if (complaint !== undefined) throw complaint;
    if ("dtype" in handle && handle.dtype === "uint8") return Uint8Array.from(values as Int32Array);
    return (values as Float32Array | Int32Array).slice();
  }

  /** A float32 result; takes over `info`. */
  tensor(info: TensorInfo): Tensor {
    return this.#keep(new GpuTensor(info, info.shape, "float32", undefined));
  }

  /** The same elements under another shape. */
  reshape(tensor: Tensor, shape: Shape): Tensor {
    const { info, dtype, range } = this.#own(tensor) as GpuTensor;
    checkSameShape("reshape", [elementsOf(tensor.shape)], [elementsOf(shape)]);
    this.device.backend.incRef(info.dataId);
    return this.#keep(new GpuTensor({ ...info, shape: [...shape] }, [...shape], dtype, range));
  }

  variable(data: Float32Array, shape: Shape): Variable {
    const variable = this.#keep(new GpuVariable(this.write(data, shape), [...shape]));
    this.#variables++;
    return variable;
  }

  /** Gives a variable a new value; takes over `info`. */
  replace(variable: Variable, info: TensorInfo): void {
    const own = this.#own(variable) as GpuVariable;
    this.drop(own.info);
    own.info = info;
  }

  saved(infos: Readonly<Record<string, TensorInfo>>): Saved {
    return this.#keep(new GpuSaved(infos));
  }

  savedInfos<Names extends string>(saved: Saved): Readonly<Record<Names, TensorInfo>> {
    return (this.#own(saved) as GpuSaved).infos as Readonly<Record<Names, TensorInfo>>;
  }

  info(handle: Tensor | Variable): TensorInfo {
    return (this.#own(handle) as GpuTensor | GpuVariable).info;
  }

  range(tensor: Tensor): readonly [low: number, high: number] | undefined {
    return (this.#own(tensor) as GpuTensor).range;
  }

  free(handle: Tensor | Variable | Saved): void {
    const own = this.#own(handle);
    this.#live.delete(own);
    if (own instanceof GpuSaved) this.drop(...Object.values(own.infos));
    else this.drop((own as GpuTensor | GpuVariable).info);
    if (own instanceof GpuVariable) this.#variables--;
  }

  /** Frees tensors that no handle has. */
  drop(...infos: readonly TensorInfo[]): void {
    for (const { dataId } of infos) this.device.backend.disposeData(dataId);
  }

  freeAll(): void {
    for (const handle of [...this.#live]) this.free(handle as Tensor | Variable | Saved);
  }

  #keep<T extends object>(handle: T): T {
    this.#live.add(handle);
    return handle;
  }

  #own(handle: object): object {
    if (!this.#live.has(handle)) throw new Error("a handle was used after it was freed, or belongs to another engine");
    return handle;
  }
}
