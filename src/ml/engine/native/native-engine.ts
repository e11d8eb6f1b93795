/**
 * The engine that counts: TensorFlow's own kernels, called one by one through the addon of @tensorflow/tfjs-node.
 *
 * Every op runs when it is called, on the calling thread plus TensorFlow's pool. A weight or slot lies in a resource
 * variable from its first update on, and is changed in place: for that, no handle to a read of it may be alive, so an
 * update drops the read first. Longer than most files because it is one op after the other.
 */
import {
  type AdamSettings,
  type BatchNormVariables,
  type ConvGeometry,
  type CreateEngine,
  type DType,
  type Engine,
  type EngineOptions,
  type PoolGeometry,
  type Saved,
  type SgdSettings,
  type Shape,
  type Tensor,
  type TensorArray,
  UnsupportedOnEngine,
  type Variable,
} from "../engine.ts";
import { loadBinding, type OpAttribute } from "./binding.ts";
import { groupNormBackward, groupNormForward } from "./group-norm.ts";
import {
  attribute,
  BIAS,
  EMPTY,
  FLOAT,
  FLOAT_T,
  INT32,
  INT64,
  LABELS,
  NHWC,
  PADDINGS,
  POSITIONS_INT32,
  POSITIONS_INT64,
  TensorflowOps,
  UINT8,
  UNLOCKED,
  VARIABLE,
} from "./tensorflow-ops.ts";
import { planWindow, type Window } from "./window.ts";

export { nativeEnvironment } from "./binding.ts";

/** Makes the engine. Throws when the folder holds none, or when this process was not started for its thread count. */
export const createEngine: CreateEngine = async (options: EngineOptions) => {
  if (options.precision !== "float32") throw new UnsupportedOnEngine("native", `${options.precision} precision`, []);
  return new NativeEngine(new TensorflowOps(loadBinding(options.folder, options.threads)));
};

class NativeTensor implements Tensor {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Of what `maxPool` returned: where in its (padded) input each maximum was found. */
  readonly argmax: number | undefined;

  constructor(id: number, shape: Shape, dtype: DType, argmax?: number) {
    this.id = id;
    this.shape = shape;
    this.dtype = dtype;
    this.argmax = argmax;
  }
}

class NativeSaved implements Saved {
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
class NativeVariable implements Variable {
  readonly variable = true;
  readonly shape: Shape;
  value: number | undefined;
  resource: number | undefined;

  constructor(shape: Shape, value: number) {
    this.shape = shape;
    this.value = value;
  }
}

/** TensorFlow's name for a variable that lives exactly as long as its handle (ResourceHandle::ANONYMOUS_NAME). */
const ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";
/** Above so many elements positions of maxima do not fit 32 bits. */
const INT32_POSITIONS = 2 ** 31 - 1;

class NativeEngine implements Engine {
  readonly name = "native";
  readonly version: string;
  readonly #ops: TensorflowOps;
  readonly #gpu: boolean;
  readonly #tensors = new Set<NativeTensor>();
  readonly #saved = new Set<NativeSaved>();
  readonly #variables = new Set<NativeVariable>();
  readonly #attributes = new Map<string, readonly OpAttribute[]>();

  constructor(ops: TensorflowOps) {
    this.#ops = ops;
    this.version = `TensorFlow ${ops.binding.TF_Version}`;
    this.#gpu = ops.binding.isUsingGpuDevice();
  }

  // -- memory ---------------------------------------------------------------------------------------------------------

  upload(data: TensorArray, shape: Shape): Tensor {
    const [code, dtype] = typeOf(data);
    return this.#tensor(this.#create(data, shape, code), shape, dtype);
  }

  async download(tensor: Tensor | Variable): Promise<TensorArray> {
    if ("variable" in tensor) return this.#ops.binding.tensorDataSync(this.#read(tensor));
    const { id, dtype } = this.#own(tensor);
    if (dtype !== "uint8") return this.#ops.binding.tensorDataSync(id);
    const wide = this.#ops.cast(id, UINT8, INT32);
    const data = Uint8Array.from(this.#ops.binding.tensorDataSync(wide));
    this.#ops.free(wide);
    return data;
  }

  dispose(...tensors: readonly (Tensor | undefined)[]): void {
    for (const tensor of tensors) {
      if (tensor === undefined) continue;
      const own = this.#own(tensor);
      this.#tensors.delete(own);
      this.#ops.free(own.id);
      if (own.argmax !== undefined) this.#ops.free(own.argmax);
    }
  }

  disposeSaved(saved: Saved): void {
    const own = this.#ownSaved(saved);
    this.#saved.delete(own);
    this.#ops.free(...own.ids);
  }

  liveTensors(): number {
    return this.#tensors.size + this.#saved.size;
  }

  variable(data: Float32Array, shape: Shape): Variable {
    const variable = new NativeVariable(shape, this.#create(data, shape, FLOAT));
    this.#variables.add(variable);
    return variable;
  }

  assign(variable: Variable, data: Float32Array): void {
    this.#replace(this.#ownVariable(variable), this.#create(data, variable.shape, FLOAT));
  }

  disposeVariable(variable: Variable): void {
    const own = this.#ownVariable(variable);
    this.#variables.delete(own);
    if (own.value !== undefined) this.#ops.free(own.value);
    if (own.resource !== undefined) this.#ops.free(own.resource);
  }

  async close(): Promise<void> {
    this.dispose(...this.#tensors);
    for (const saved of this.#saved) this.disposeSaved(saved);
    for (const variable of this.#variables) this.disposeVariable(variable);
    this.#ops.close();
  }

  // -- convolution ----------------------------------------------------------------------------------------------------

  conv2d(x: Tensor, filter: Variable, geometry: ConvGeometry): Tensor {
    const window = convWindow(x, filter, geometry);
    const input = this.#padded(x, window, 0);
    const [output] = this.#ops.binding.executeOp(
      "Conv2D",
      this.#convAttributes(geometry, window),
      [input, this.#read(filter)],
      1,
    );
    if (window.pad !== undefined) this.#ops.free(input);
    return this.#tensor(output!.id, output!.shape);
  }

  conv2dGradient(dy: Tensor, x: Tensor, filter: Variable, geometry: ConvGeometry, wantInput: boolean) {
    const ops = this.#ops;
    const window = convWindow(x, filter, geometry);
    const attributes = this.#convAttributes(geometry, window);
    const input = this.#padded(x, window, 0);
    const gradient = this.#own(dy).id;
    const dfilter = ops.one("Conv2DBackpropFilter", attributes, input, ops.ints(filter.shape), gradient);
    if (window.pad !== undefined) ops.free(input);
    if (!wantInput) return { dx: undefined, dfilter: this.#tensor(dfilter, filter.shape) };
    const shape = paddedShape(x.shape, window);
    const dx = ops.one("Conv2DBackpropInput", attributes, ops.ints(shape), this.#read(filter), gradient);
    return {
      dx: this.#tensor(this.#cropped(dx, x.shape, window), x.shape),
      dfilter: this.#tensor(dfilter, filter.shape),
    };
  }

  addBias(x: Tensor, bias: Variable): Tensor {
    return this.#tensor(this.#ops.one("BiasAdd", BIAS, this.#own(x).id, this.#read(bias)), x.shape);
  }

  addBiasGradient(dy: Tensor): Tensor {
    return this.#tensor(this.#ops.one("BiasAddGrad", BIAS, this.#own(dy).id), [dy.shape.at(-1)!]);
  }

  // -- normalisation --------------------------------------------------------------------------------------------------

  batchNormTrain(x: Tensor, parameters: BatchNormVariables, momentum: number, epsilon: number) {
    const { scale, shift, runningMean, runningVariance } = parameters;
    // With a factor of exactly 1 TensorFlow wants no old statistics.
    const none = momentum === 1 ? this.#ops.floats("none", [0], () => new Float32Array(0)) : undefined;
    const [y, mean, variance, ...reserve] = this.#ops.many(
      "FusedBatchNormV3",
      6,
      this.#normAttributes(true, epsilon, momentum),
      this.#own(x).id,
      this.#read(scale),
      this.#read(shift),
      none ?? this.#read(runningMean),
      none ?? this.#read(runningVariance),
    );
    this.#replace(this.#ownVariable(runningMean), mean!);
    this.#replace(this.#ownVariable(runningVariance), variance!);
    return { y: this.#tensor(y!, x.shape), saved: this.#save(reserve, epsilon) };
  }

  batchNormGradient(dy: Tensor, x: Tensor, parameters: BatchNormVariables, saved: Saved) {
    const own = this.#ownSaved(saved);
    const [dx, dscale, dshift, ...unused] = this.#ops.many(
      "FusedBatchNormGradV3",
      5,
      this.#normAttributes(true, own.setting, undefined),
      this.#own(dy).id,
      this.#own(x).id,
      this.#read(parameters.scale),
      ...own.ids,
    );
    this.#ops.free(...unused);
    return {
      dx: this.#tensor(dx!, x.shape),
      dscale: this.#tensor(dscale!, parameters.scale.shape),
      dshift: this.#tensor(dshift!, parameters.scale.shape),
    };
  }

  batchNormEval(x: Tensor, parameters: BatchNormVariables, epsilon: number): Tensor {
    const [y, ...unused] = this.#ops.many(
      "FusedBatchNormV3",
      6,
      this.#normAttributes(false, epsilon, undefined),
      this.#own(x).id,
      this.#read(parameters.scale),
      this.#read(parameters.shift),
      this.#read(parameters.runningMean),
      this.#read(parameters.runningVariance),
    );
    this.#ops.free(...unused);
    return this.#tensor(y!, x.shape);
  }

  groupNorm(x: Tensor, scale: Variable, shift: Variable, groups: number, epsilon: number) {
    const { y, kept } = groupNormForward(
      this.#ops,
      this.#own(x),
      this.#read(scale),
      this.#read(shift),
      groups,
      epsilon,
    );
    return { y: this.#tensor(y, x.shape), saved: this.#save(kept, groups) };
  }

  groupNormGradient(dy: Tensor, x: Tensor, scale: Variable, saved: Saved) {
    const { ids, setting: groups } = this.#ownSaved(saved);
    const { dx, dscale, dshift } = groupNormBackward(
      this.#ops,
      this.#own(dy).id,
      this.#own(x),
      this.#read(scale),
      ids,
      groups,
    );
    return {
      dx: this.#tensor(dx, x.shape),
      dscale: this.#tensor(dscale, scale.shape),
      dshift: this.#tensor(dshift, scale.shape),
    };
  }

  // -- pointwise and pooling ------------------------------------------------------------------------------------------

  relu(x: Tensor): Tensor {
    return this.#tensor(this.#ops.one("Relu", [FLOAT_T], this.#own(x).id), x.shape);
  }

  reluGradient(dy: Tensor, y: Tensor): Tensor {
    return this.#tensor(this.#ops.one("ReluGrad", [FLOAT_T], this.#own(dy).id, this.#own(y).id), y.shape);
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#tensor(this.#ops.add(this.#own(a).id, this.#own(b).id), a.shape);
  }

  multiply(a: Tensor, b: Tensor): Tensor {
    return this.#tensor(this.#ops.multiply(this.#own(a).id, this.#own(b).id), a.shape);
  }

  reshape(x: Tensor, shape: Shape): Tensor {
    const { id, dtype } = this.#own(x);
    return this.#tensor(this.#ops.reshape(id, shape, CODES[dtype]), shape, dtype);
  }

  /** On the CPU positions are kept for the gradient: TensorFlow's plain MaxPoolGrad searches them again, seven times slower. */
  maxPool(x: Tensor, geometry: PoolGeometry): Tensor {
    const window = poolWindow(x, geometry);
    const input = this.#padded(x, window, Number.NEGATIVE_INFINITY);
    const attributes = this.#poolAttributes(geometry, window);
    const [y, argmax] = this.#gpu
      ? this.#ops.binding.executeOp("MaxPool", [...attributes, NHWC], [input], 1)
      : this.#ops.binding.executeOp("MaxPoolWithArgmax", [...attributes, ...positions(x.shape, window)], [input], 2);
    if (window.pad !== undefined) this.#ops.free(input);
    return this.#tensor(y!.id, y!.shape, "float32", argmax?.id);
  }

  maxPoolGradient(dy: Tensor, x: Tensor, y: Tensor, geometry: PoolGeometry): Tensor {
    const ops = this.#ops;
    const window = poolWindow(x, geometry);
    const attributes = this.#poolAttributes(geometry, window);
    const { argmax, id: output } = this.#own(y);
    const gradient = this.#own(dy).id;
    let dx: number;
    if (argmax === undefined) {
      const input = this.#padded(x, window, Number.NEGATIVE_INFINITY);
      dx = ops.one("MaxPoolGrad", [...attributes, NHWC], input, output, gradient);
      if (window.pad !== undefined) ops.free(input);
    } else {
      // The op reads nothing of its first input but the shape.
      const like = ops.one("Empty", EMPTY, ops.ints(paddedShape(x.shape, window)));
      const narrow = fitsInt32(x.shape, window);
      const at = narrow ? ops.cast(argmax, INT32, INT64) : argmax;
      dx = ops.one("MaxPoolGradWithArgmax", [...attributes, ...POSITIONS_INT64], like, gradient, at);
      ops.free(like);
      if (narrow) ops.free(at);
    }
    return this.#tensor(this.#cropped(dx, x.shape, window), x.shape);
  }

  adaptiveAveragePool(x: Tensor, size: number): Tensor {
    const [n, height, width, channels] = x.shape as readonly [number, number, number, number];
    const shape = [n, size, size, channels];
    if (size === 1) return this.#tensor(this.#ops.reduce("Mean", this.#own(x).id, [1, 2], true), shape);
    const weights = this.#poolingWeights(height, width, size);
    const rows = this.#ops.reshape(this.#own(x).id, [n, height * width, channels]);
    const pooled = this.#ops.freeing(this.#ops.batchMatMul(weights, rows, false), rows);
    return this.#tensor(this.#ops.freeing(this.#ops.reshape(pooled, shape), pooled), shape);
  }

  adaptiveAveragePoolGradient(dy: Tensor, inputShape: Shape): Tensor {
    const [n, height, width, channels] = inputShape as readonly [number, number, number, number];
    const size = dy.shape[1]!;
    if (size === 1) {
      const share = this.#ops.multiply(this.#own(dy).id, this.#ops.scalar(1 / (height * width)));
      return this.#tensor(this.#ops.freeing(this.#ops.broadcast(share, inputShape), share), inputShape);
    }
    const weights = this.#poolingWeights(height, width, size);
    const cells = this.#ops.reshape(this.#own(dy).id, [n, size * size, channels]);
    const spread = this.#ops.freeing(this.#ops.batchMatMul(weights, cells, true), cells);
    return this.#tensor(this.#ops.freeing(this.#ops.reshape(spread, inputShape), spread), inputShape);
  }

  // -- dense and loss -------------------------------------------------------------------------------------------------

  dense(x: Tensor, weight: Variable, bias: Variable): Tensor {
    const product = this.#ops.matMul(this.#own(x).id, this.#read(weight));
    const y = this.#ops.freeing(this.#ops.one("BiasAdd", BIAS, product, this.#read(bias)), product);
    return this.#tensor(y, [x.shape[0]!, weight.shape[1]!]);
  }

  denseGradient(dy: Tensor, x: Tensor, weight: Variable) {
    const gradient = this.#own(dy).id;
    return {
      dx: this.#tensor(this.#ops.matMul(gradient, this.#read(weight), false, true), x.shape),
      dweight: this.#tensor(this.#ops.matMul(this.#own(x).id, gradient, true, false), weight.shape),
      dbias: this.addBiasGradient(dy),
    };
  }

  softmaxCrossEntropy(logits: Tensor, labels: Tensor) {
    const ops = this.#ops;
    const [losses, gradients] = ops.many(
      "SparseSoftmaxCrossEntropyWithLogits",
      2,
      [FLOAT_T, LABELS],
      this.#own(logits).id,
      this.#own(labels).id,
    ) as [number, number];
    const loss = ops.freeing(ops.reduce("Mean", losses, [0], false), losses);
    const dlogits = ops.freeing(ops.multiply(gradients, ops.scalar(1 / logits.shape[0]!)), gradients);
    return { loss: this.#tensor(loss, []), dlogits: this.#tensor(dlogits, logits.shape) };
  }

  softmax(logits: Tensor): Tensor {
    return this.#tensor(this.#ops.one("Softmax", [FLOAT_T], this.#own(logits).id), logits.shape);
  }

  // -- images ---------------------------------------------------------------------------------------------------------

  normalizeImages(images: Tensor, mean: readonly number[], std: readonly number[]): Tensor {
    const ops = this.#ops;
    const scale = ops.floats(`scale${std.join()}`, [std.length], () => Float32Array.from(std, (s) => 1 / (255 * s)));
    const shift = ops.floats(`shift${mean.join()}/${std.join()}`, [std.length], () =>
      Float32Array.from(std, (s, channel) => -mean[channel]! / s),
    );
    const wide = ops.cast(this.#own(images).id, UINT8, FLOAT);
    const scaled = ops.freeing(ops.multiply(wide, scale), wide);
    return this.#tensor(ops.freeing(ops.add(scaled, shift), scaled), images.shape);
  }

  // -- optimiser updates ----------------------------------------------------------------------------------------------

  sgdUpdate(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void {
    const { learningRate, momentum, weightDecay, nesterov } = settings;
    const ops = this.#ops;
    const rate = ops.scalar(learningRate);
    const decayed = this.#decayed(weight, gradient, weightDecay);
    if (slot === undefined || momentum === 0) {
      ops.many("ResourceApplyGradientDescent", 0, [FLOAT_T, UNLOCKED], this.#writable(weight), rate, decayed);
    } else {
      // v = momentum v + g; w -= nesterov ? rate g + rate momentum v : rate v.
      ops.many(
        "ResourceApplyMomentum",
        0,
        [FLOAT_T, UNLOCKED, attribute.bool("use_nesterov", nesterov)],
        this.#writable(weight),
        this.#writable(slot),
        rate,
        decayed,
        ops.scalar(momentum),
      );
    }
    if (weightDecay !== 0) ops.free(decayed);
  }

  /**
   * TensorFlow's Adam divides by sqrt(v) + epsilon after folding both bias corrections into the rate; PyTorch's divides by
   * sqrt(v / (1 - beta2^t)) + epsilon. Equal when epsilon is scaled by sqrt(1 - beta2^t). The corrections are made here, in
   * double precision, of the float32 betas that the kernel uses.
   */
  adamUpdate(
    weight: Variable,
    gradient: Tensor,
    first: Variable,
    second: Variable,
    settings: AdamSettings,
    step: number,
  ): void {
    const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = settings;
    const ops = this.#ops;
    const correction1 = 1 - Math.fround(beta1) ** step;
    const root2 = Math.sqrt(1 - Math.fround(beta2) ** step);
    if (decoupled && weightDecay !== 0) {
      this.#replace(
        this.#ownVariable(weight),
        ops.multiply(this.#read(weight), ops.scalar(1 - learningRate * weightDecay)),
      );
    }
    const coupled = decoupled ? 0 : weightDecay;
    const decayed = this.#decayed(weight, gradient, coupled);
    const none = ops.scalar(0);
    ops.many(
      "ResourceApplyAdam",
      0,
      [FLOAT_T, UNLOCKED, attribute.bool("use_nesterov", false)],
      this.#writable(weight),
      this.#writable(first),
      this.#writable(second),
      none,
      none,
      ops.scalar((learningRate * root2) / correction1),
      ops.scalar(beta1),
      ops.scalar(beta2),
      ops.scalar(epsilon * root2),
      decayed,
    );
    if (coupled !== 0) ops.free(decayed);
  }

  // -- what is whose --------------------------------------------------------------------------------------------------

  #tensor(id: number, shape: Shape, dtype: DType = "float32", argmax?: number): NativeTensor {
    const tensor = new NativeTensor(id, shape, dtype, argmax);
    this.#tensors.add(tensor);
    return tensor;
  }

  #save(ids: readonly number[], setting: number): NativeSaved {
    const saved = new NativeSaved(ids, setting);
    this.#saved.add(saved);
    return saved;
  }

  #own(tensor: Tensor): NativeTensor {
    if (this.#tensors.has(tensor as NativeTensor)) return tensor as NativeTensor;
    throw new Error(`a tensor [${tensor.shape.join(", ")}] was used after it was disposed, or on another engine`);
  }

  #ownSaved(saved: Saved): NativeSaved {
    if (this.#saved.has(saved as NativeSaved)) return saved as NativeSaved;
    throw new Error("saved values were used after they were disposed, or on another engine");
  }

  #ownVariable(variable: Variable): NativeVariable {
    if (this.#variables.has(variable as NativeVariable)) return variable as NativeVariable;
    throw new Error(`a variable [${variable.shape.join(", ")}] was used after it was disposed, or on another engine`);
  }

  /** The array is copied first, for TensorFlow may share its memory. */
  #create(data: TensorArray, shape: Shape, code: number): number {
    return this.#ops.binding.createTensor(shape, code, data.slice());
  }

  /** The variable's value, as a tensor that stays the variable's. */
  #read(variable: Variable): number {
    const own = this.#ownVariable(variable);
    own.value ??= this.#ops.one("ReadVariableOp", VARIABLE, own.resource!);
    return own.value;
  }

  /** The variable's resource, with no read of it left that would make an update in place impossible. */
  #writable(variable: Variable): number {
    const own = this.#ownVariable(variable);
    if (own.resource === undefined) {
      const where = [attribute.shape("shape", own.shape), attribute.string("shared_name", ANONYMOUS)];
      own.resource = this.#ops.one("VarHandleOp", [...VARIABLE, ...where, attribute.string("container", "")]);
      this.#ops.many("AssignVariableOp", 0, VARIABLE, own.resource, own.value!);
    }
    if (own.value !== undefined) this.#ops.free(own.value);
    own.value = undefined;
    return own.resource;
  }

  /** Gives the variable a new value, and that value to the variable. */
  #replace(own: NativeVariable, value: number): void {
    if (own.value !== undefined) this.#ops.free(own.value);
    own.value = value;
    if (own.resource === undefined) return;
    this.#ops.many("AssignVariableOp", 0, VARIABLE, own.resource, value);
  }

  /** gradient + decay weight: the gradient itself when there is no decay, else the caller's to free. */
  #decayed(weight: Variable, gradient: Tensor, decay: number): number {
    const { id } = this.#own(gradient);
    if (decay === 0) return id;
    const pull = this.#ops.multiply(this.#read(weight), this.#ops.scalar(decay));
    return this.#ops.freeing(this.#ops.add(id, pull), pull);
  }

  // -- windows --------------------------------------------------------------------------------------------------------

  /** `x` with the rows its window wants: then the caller's to free. */
  #padded(x: Tensor, { pad }: Window, value: number): number {
    const { id } = this.#own(x);
    if (pad === undefined) return id;
    return this.#ops.one("PadV2", [FLOAT_T, PADDINGS], id, this.#ops.paddings(...pad), this.#ops.scalar(value));
  }

  /** Takes the added rows off a gradient, and frees it. */
  #cropped(dx: number, shape: Shape, { pad }: Window): number {
    if (pad === undefined) return dx;
    return this.#ops.freeing(this.#ops.slice(dx, [0, pad[0], pad[2], 0], shape), dx);
  }

  #convAttributes(geometry: ConvGeometry, { mode }: Window): readonly OpAttribute[] {
    const { stride, dilation } = geometry;
    return this.#remember(`conv ${stride} ${dilation} ${mode}`, () => [
      FLOAT_T,
      NHWC,
      attribute.int("strides", [1, stride, stride, 1]),
      attribute.int("dilations", [1, dilation, dilation, 1]),
      attribute.string("padding", mode),
      attribute.bool("use_cudnn_on_gpu", true),
    ]);
  }

  #poolAttributes({ size, stride }: PoolGeometry, { mode }: Window): readonly OpAttribute[] {
    return this.#remember(`pool ${size} ${stride} ${mode}`, () => [
      FLOAT_T,
      attribute.int("ksize", [1, size, size, 1]),
      attribute.int("strides", [1, stride, stride, 1]),
      attribute.string("padding", mode),
    ]);
  }

  #normAttributes(training: boolean, epsilon: number, momentum: number | undefined): readonly OpAttribute[] {
    return this.#remember(`norm ${training} ${epsilon} ${momentum}`, () => [
      FLOAT_T,
      NHWC,
      attribute.type("U", FLOAT),
      attribute.float("epsilon", epsilon),
      attribute.bool("is_training", training),
      ...(momentum === undefined ? [] : [attribute.float("exponential_avg_factor", momentum)]),
    ]);
  }

  #remember(key: string, make: () => readonly OpAttribute[]): readonly OpAttribute[] {
    const known = this.#attributes.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#attributes.set(key, made);
    return made;
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

const CODES: Readonly<Record<DType, number>> = { float32: FLOAT, int32: INT32, uint8: UINT8 };

function typeOf(data: TensorArray): readonly [code: number, dtype: DType] {
  if (data instanceof Float32Array) return [FLOAT, "float32"];
  return data instanceof Int32Array ? [INT32, "int32"] : [UINT8, "uint8"];
}

function convWindow(x: Tensor, filter: Variable, { stride, padding, dilation }: ConvGeometry): Window {
  const extent = (size: number) => dilation * (size - 1) + 1;
  const [, height, width] = x.shape;
  return planWindow(height!, width!, extent(filter.shape[0]!), extent(filter.shape[1]!), stride, padding);
}

function poolWindow(x: Tensor, { size, stride, padding }: PoolGeometry): Window {
  return planWindow(x.shape[1]!, x.shape[2]!, size, size, stride, padding);
}

function paddedShape(shape: Shape, { pad }: Window): Shape {
  if (pad === undefined) return shape;
  const [top, bottom, left, right] = pad;
  return [shape[0]!, shape[1]! + top + bottom, shape[2]! + left + right, shape[3]!];
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
