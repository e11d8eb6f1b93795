/**
 * The engine that counts: TensorFlow's own kernels, called one by one through the addon of @tensorflow/tfjs-node.
 *
 * Every op runs when it is called, on the calling thread plus TensorFlow's pool. Which handles are alive is kept in
 * `native-memory.ts`. Longer than most files because it is one op after the other.
 */
import type {
  AdamSettings,
  BatchNormVariables,
  ConvGeometry,
  ConvolutionAlgorithm,
  CreateEngine,
  Engine,
  EngineOptions,
  NumericPrecision,
  PoolGeometry,
  RmspropSettings,
  RmspropSlots,
  Saved,
  SgdSettings,
  Shape,
  Tensor,
  TensorArray,
  Variable,
} from "../engine.ts";
import { refuseUnsupportedSettings } from "../unsupported-setting.ts";
import { loadBinding, type OpAttribute } from "./binding.ts";
import { composedCrossEntropy } from "./composed-cross-entropy.ts";
import { groupNormBackward, groupNormForward } from "./group-norm.ts";
import { NativeConvolution } from "./native-convolution.ts";
import { type Format, NativeMemory } from "./native-memory.ts";
import { NativePooling } from "./native-pooling.ts";
import { NativeUpdates } from "./native-updates.ts";
import { attribute, BFLOAT16, BIAS, FLOAT, LABELS, NHWC, NONE, TensorflowOps } from "./tensorflow-ops.ts";

export { nativeEnvironment } from "./binding.ts";

const SPARSE_LOSS = "SparseSoftmaxCrossEntropyWithLogits";
const DENSE_LOSS = "SoftmaxCrossEntropyWithLogits";

/** Makes the engine. Throws when the folder holds none, or when this process was not started for its thread count. */
export const createEngine: CreateEngine = async (options: EngineOptions) => {
  const { folder, threads, precision, convolution = "auto" } = options;
  refuseUnsupportedSettings("native", options);
  const format = precision === "bfloat16" ? BFLOAT16 : FLOAT;
  return new NativeEngine(new TensorflowOps(loadBinding(folder, threads)), format, convolution);
};

class NativeEngine implements Engine {
  readonly name = "native";
  readonly version: string;
  readonly precision: NumericPrecision;
  readonly #ops: TensorflowOps;
  readonly #memory: NativeMemory;
  readonly #updates: NativeUpdates;
  readonly #convolution: NativeConvolution;
  readonly #pooling: NativePooling;
  readonly #gpu: boolean;
  /** Of what goes into convolutions and products. */
  readonly #format: Format;
  readonly #attributes = new Map<string, readonly OpAttribute[]>();

  constructor(ops: TensorflowOps, format: Format, convolution: ConvolutionAlgorithm) {
    this.#ops = ops;
    this.#memory = new NativeMemory(ops);
    this.#updates = new NativeUpdates(ops, this.#memory);
    this.#convolution = new NativeConvolution(ops, this.#memory, convolution, format);
    this.#format = format;
    this.precision = format === FLOAT ? "float32" : "bfloat16";
    this.version = `TensorFlow ${ops.binding.TF_Version}`;
    this.#gpu = ops.binding.isUsingGpuDevice();
    this.#pooling = new NativePooling(ops, this.#memory, this.#gpu);
  }

  // -- memory ---------------------------------------------------------------------------------------------------------

  upload(data: TensorArray, shape: Shape): Tensor {
    return this.#memory.upload(data, shape);
  }

  async download(tensor: Tensor | Variable): Promise<TensorArray> {
    return this.#memory.download(tensor);
  }

  dispose(...tensors: readonly (Tensor | undefined)[]): void {
    for (const tensor of tensors) if (tensor !== undefined) this.#memory.dispose(tensor);
  }

  disposeSaved(saved: Saved): void {
    this.#memory.disposeSaved(saved);
  }

  liveTensors(): number {
    return this.#memory.live();
  }

  variable(data: Float32Array, shape: Shape): Variable {
    return this.#memory.variable(data, shape);
  }

  assign(variable: Variable, data: Float32Array): void {
    this.#memory.assign(variable, data);
  }

  disposeVariable(variable: Variable): void {
    this.#memory.disposeVariable(variable);
  }

  async close(): Promise<void> {
    this.#memory.close();
    this.#ops.close();
  }

  // -- convolution ----------------------------------------------------------------------------------------------------

  conv2d(x: Tensor, filter: Variable, geometry: ConvGeometry): Tensor {
    return this.#convolution.forward(x, filter, geometry);
  }

  conv2dGradient(dy: Tensor, x: Tensor, filter: Variable, geometry: ConvGeometry, wantInput: boolean) {
    return this.#convolution.gradient(dy, x, filter, geometry, wantInput);
  }

  addBias(x: Tensor, bias: Variable): Tensor {
    const own = this.#memory.own(x);
    const shift = own.format === FLOAT ? this.#memory.read(bias) : this.#memory.readRounded(bias);
    return this.#memory.like(this.#ops.one("BiasAdd", BIAS, own.id, shift), own);
  }

  addBiasGradient(dy: Tensor): Tensor {
    const summed = this.#memory.held(dy, this.#memory.own(dy).layout, FLOAT);
    return this.#memory.tensor(this.#ops.one("BiasAddGrad", BIAS, summed), [dy.shape.at(-1)!]);
  }

  // -- normalisation --------------------------------------------------------------------------------------------------

  batchNormTrain(x: Tensor, parameters: BatchNormVariables, momentum: number, epsilon: number) {
    const { scale, shift, runningMean, runningVariance } = parameters;
    const own = this.#memory.own(x);
    // With a factor of exactly 1 TensorFlow wants no old statistics.
    const none = momentum === 1 ? this.#ops.floats("none", [0], () => new Float32Array(0)) : undefined;
    const [y, mean, variance, ...reserve] = this.#ops.many(
      "FusedBatchNormV3",
      6,
      this.#normAttributes(true, epsilon, momentum),
      own.id,
      this.#memory.read(scale),
      this.#memory.read(shift),
      none ?? this.#memory.read(runningMean),
      none ?? this.#memory.read(runningVariance),
    );
    this.#memory.replace(runningMean, mean!);
    this.#memory.replace(runningVariance, variance!);
    return { y: this.#memory.like(y!, own), saved: this.#memory.save(reserve, epsilon) };
  }

  batchNormGradient(dy: Tensor, x: Tensor, parameters: BatchNormVariables, saved: Saved) {
    const own = this.#memory.own(x);
    const { ids, setting: epsilon } = this.#memory.ownSaved(saved);
    const [dx, dscale, dshift, ...unused] = this.#ops.many(
      "FusedBatchNormGradV3",
      5,
      this.#normAttributes(true, epsilon, undefined),
      this.#memory.heldLike(dy, own),
      own.id,
      this.#memory.read(parameters.scale),
      ...ids,
    );
    this.#ops.free(...unused);
    return {
      dx: this.#memory.like(dx!, own),
      dscale: this.#memory.tensor(dscale!, parameters.scale.shape),
      dshift: this.#memory.tensor(dshift!, parameters.scale.shape),
    };
  }

  batchNormEval(x: Tensor, parameters: BatchNormVariables, epsilon: number): Tensor {
    const own = this.#memory.own(x);
    const [y, ...unused] = this.#ops.many(
      "FusedBatchNormV3",
      6,
      this.#normAttributes(false, epsilon, undefined),
      own.id,
      this.#memory.read(parameters.scale),
      this.#memory.read(parameters.shift),
      this.#memory.read(parameters.runningMean),
      this.#memory.read(parameters.runningVariance),
    );
    this.#ops.free(...unused);
    return this.#memory.like(y!, own);
  }

  groupNorm(x: Tensor, scale: Variable, shift: Variable, groups: number, epsilon: number) {
    const { y, kept } = groupNormForward(
      this.#ops,
      { id: this.#memory.plain(x), shape: x.shape },
      this.#memory.read(scale),
      this.#memory.read(shift),
      groups,
      epsilon,
    );
    return { y: this.#memory.tensor(y, x.shape), saved: this.#memory.save(kept, groups) };
  }

  groupNormGradient(dy: Tensor, x: Tensor, scale: Variable, saved: Saved) {
    const { ids, setting: groups } = this.#memory.ownSaved(saved);
    const { dx, dscale, dshift } = groupNormBackward(
      this.#ops,
      this.#memory.plain(dy),
      { id: this.#memory.plain(x), shape: x.shape },
      this.#memory.read(scale),
      ids,
      groups,
    );
    return {
      dx: this.#memory.tensor(dx, x.shape),
      dscale: this.#memory.tensor(dscale, scale.shape),
      dshift: this.#memory.tensor(dshift, scale.shape),
    };
  }

  // -- pointwise and pooling ------------------------------------------------------------------------------------------

  relu(x: Tensor): Tensor {
    const own = this.#memory.own(x);
    return this.#memory.like(this.#ops.one("Relu", NONE, own.id), own);
  }

  reluGradient(dy: Tensor, y: Tensor): Tensor {
    const own = this.#memory.own(y);
    return this.#memory.like(this.#ops.one("ReluGrad", NONE, this.#memory.heldLike(dy, own), own.id), own);
  }

  add(a: Tensor, b: Tensor): Tensor {
    const own = this.#memory.own(a);
    return this.#memory.like(this.#ops.add(own.id, this.#memory.heldLike(b, own)), own);
  }

  multiply(a: Tensor, b: Tensor): Tensor {
    const own = this.#memory.own(a);
    return this.#memory.like(this.#ops.multiply(own.id, this.#memory.heldLike(b, own)), own);
  }

  reshape(x: Tensor, shape: Shape): Tensor {
    return this.#memory.tensor(this.#ops.reshape(this.#memory.plain(x), shape), shape, x.dtype);
  }

  maxPool(x: Tensor, geometry: PoolGeometry): Tensor {
    return this.#pooling.max(x, geometry);
  }

  maxPoolGradient(dy: Tensor, x: Tensor, y: Tensor, geometry: PoolGeometry): Tensor {
    return this.#pooling.maxGradient(dy, x, y, geometry);
  }

  adaptiveAveragePool(x: Tensor, size: number): Tensor {
    return this.#pooling.average(x, size);
  }

  adaptiveAveragePoolGradient(dy: Tensor, inputShape: Shape): Tensor {
    return this.#pooling.averageGradient(dy, inputShape);
  }

  // -- dense and loss -------------------------------------------------------------------------------------------------

  dense(x: Tensor, weight: Variable, bias: Variable): Tensor {
    const product = this.#float(this.#ops.matMul(this.#factor(x), this.#weights(weight)));
    const y = this.#ops.freeing(this.#ops.one("BiasAdd", BIAS, product, this.#memory.read(bias)), product);
    return this.#memory.tensor(y, [x.shape[0]!, weight.shape[1]!]);
  }

  denseGradient(dy: Tensor, x: Tensor, weight: Variable) {
    const dbias = this.addBiasGradient(dy);
    const gradient = this.#factor(dy);
    return {
      dx: this.#memory.tensor(this.#float(this.#ops.matMul(gradient, this.#weights(weight), false, true)), x.shape),
      dweight: this.#memory.tensor(this.#float(this.#ops.matMul(this.#factor(x), gradient, true, false)), weight.shape),
      dbias,
    };
  }

  /** What goes into a product, in the engine's precision. */
  #factor(x: Tensor): number {
    return this.#memory.held(x, "NHWC", this.#format);
  }

  #weights(weight: Variable): number {
    return this.#format === FLOAT ? this.#memory.read(weight) : this.#memory.readRounded(weight);
  }

  /** What comes out of a product, in float32. Frees `id` where that is another tensor. */
  #float(id: number): number {
    return this.#format === FLOAT ? id : this.#ops.freeing(this.#ops.cast(id, FLOAT), id);
  }

  softmaxCrossEntropy(logits: Tensor, targets: Tensor) {
    const ops = this.#ops;
    const labels = targets.dtype === "int32";
    const expected = labels ? logits.shape.slice(0, 1) : logits.shape;
    // The op for probabilities would stretch one row over all images.
    if (targets.dtype === "uint8" || targets.shape.join() !== expected.join())
      throw new Error(
        `softmaxCrossEntropy: logits [${logits.shape}] have no targets ${targets.dtype} [${targets.shape}]`,
      );
    const [x, t] = [this.#memory.plain(logits), this.#memory.own(targets).id];
    const [losses, gradients] = this.#gpu
      ? composedCrossEntropy(ops, { logits: x, targets: t, classes: logits.shape[1]!, areLabels: labels })
      : (ops.many(labels ? SPARSE_LOSS : DENSE_LOSS, 2, labels ? [LABELS] : NONE, x, t) as [number, number]);
    const loss = ops.freeing(ops.reduce("Mean", losses, [0], false), losses);
    const dlogits = ops.freeing(ops.multiply(gradients, ops.scalar(1 / logits.shape[0]!)), gradients);
    return { loss: this.#memory.tensor(loss, []), dlogits: this.#memory.tensor(dlogits, logits.shape) };
  }

  softmax(logits: Tensor): Tensor {
    return this.#memory.tensor(this.#ops.one("Softmax", NONE, this.#memory.plain(logits)), logits.shape);
  }

  // -- images ---------------------------------------------------------------------------------------------------------

  normalizeImages(images: Tensor, mean: readonly number[], std: readonly number[]): Tensor {
    const ops = this.#ops;
    const scale = ops.floats(`scale${std.join()}`, [std.length], () => Float32Array.from(std, (s) => 1 / (255 * s)));
    const shift = ops.floats(`shift${mean.join()}/${std.join()}`, [std.length], () =>
      Float32Array.from(std, (s, channel) => -mean[channel]! / s),
    );
    const wide = ops.cast(this.#memory.own(images).id, FLOAT);
    const scaled = ops.freeing(ops.multiply(wide, scale), wide);
    return this.#memory.tensor(ops.freeing(ops.add(scaled, shift), scaled), images.shape);
  }

  // -- whole gradients ------------------------------------------------------------------------------------------------

  scale(x: Tensor, factor: number): Tensor {
    return this.#updates.scale(x, factor);
  }

  clamp(x: Tensor, limit: number): Tensor {
    return this.#updates.clamp(x, limit);
  }

  sumOfSquares(x: Tensor | Variable): Tensor {
    return this.#updates.sumOfSquares(x);
  }

  // -- optimiser updates ----------------------------------------------------------------------------------------------

  sgdUpdate(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void {
    this.#updates.sgd(weight, gradient, slot, settings);
  }

  adamUpdate(
    weight: Variable,
    gradient: Tensor,
    first: Variable,
    second: Variable,
    settings: AdamSettings,
    step: number,
  ): void {
    this.#updates.adam(weight, gradient, first, second, settings, step);
  }

  rmspropUpdate(weight: Variable, gradient: Tensor, slots: RmspropSlots, settings: RmspropSettings): void {
    this.#updates.rmsprop(weight, gradient, slots, settings);
  }

  averageUpdate(average: Variable, value: Variable, share: number): void {
    this.#updates.average(average, value, share);
  }

  #normAttributes(training: boolean, epsilon: number, momentum: number | undefined): readonly OpAttribute[] {
    return this.#remember(`norm ${training} ${epsilon} ${momentum}`, () => [
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
}
