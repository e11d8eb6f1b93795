/**
 * The webgpu engine: TensorFlow.js' tiled WebGPU kernels for convolutions and products, WGSL programs of our own for all
 * else, on whatever GPU Dawn finds (Vulkan, Metal, Direct3D 12). State stays on the device; `download` alone waits for it.
 *
 * The same inputs give the same bits on one device and driver: nothing is added atomically. Another GPU, or another
 * driver, gives other last bits. Longer than most files because it is one op after the other.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type {
  AdamSettings,
  BatchNormVariables,
  ConvGeometry,
  CreateEngine,
  Engine,
  LayerNeed,
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
import { checkChannels, checkSameShape, convolutionShape, elementsOf } from "../plain/shapes.ts";
import { refuseUnsupportedSettings } from "../unsupported-setting.ts";
import { type GpuDevice, openDevice } from "./device.ts";
import type { Gpu } from "./gpu.ts";
import { conv2d, filterGradient, inputGradient } from "./gpu-convolution.ts";
import { GpuMemory } from "./gpu-memory.ts";
import * as normalisation from "./gpu-normalisation.ts";
import * as pooling from "./gpu-pooling.ts";
import * as update from "./gpu-update.ts";
import { Programs } from "./programs.ts";

/** Ignores `threads` and `folder`. Throws where there is no GPU. */
export const createEngine: CreateEngine = async (settings) => {
  refuseUnsupportedSettings("webgpu", settings);
  return new WebgpuEngine(await openDevice());
};

export class WebgpuEngine implements Engine {
  readonly name = "webgpu";
  readonly precision = "float32";
  readonly version: string;
  readonly #device: GpuDevice;
  readonly #memory: GpuMemory;
  readonly #gpu: Gpu;

  constructor(device: GpuDevice) {
    this.version = device.version;
    this.#device = device;
    this.#memory = new GpuMemory(device);
    this.#gpu = { kernel: device.kernel, memory: this.#memory, programs: new Programs(device.backend) };
  }

  unsupported({ weights }: LayerNeed): string | undefined {
    const limit = this.#device.largestTensorBytes;
    const wide = weights.find((shape) => 4 * elementsOf(shape) > limit);
    if (wide === undefined) return undefined;
    return `a weight of shape [${wide}]: this GPU's kernels read at most ${limit} bytes of a tensor`;
  }

  // -- memory ---------------------------------------------------------------------------------------------------------

  upload(data: TensorArray, shape: Shape): Tensor {
    return this.#memory.upload(data, shape);
  }

  download(handle: Tensor | Variable): Promise<TensorArray> {
    return this.#memory.download(handle);
  }

  dispose(...tensors: readonly (Tensor | undefined)[]): void {
    for (const tensor of tensors) if (tensor !== undefined) this.#memory.free(tensor);
  }

  disposeSaved(saved: Saved): void {
    this.#memory.free(saved);
  }

  liveTensors(): number {
    return this.#memory.liveTensors();
  }

  variable(data: Float32Array, shape: Shape): Variable {
    return this.#memory.variable(data, shape);
  }

  assign(variable: Variable, data: Float32Array): void {
    this.#memory.replace(variable, this.#memory.write(data, variable.shape));
  }

  disposeVariable(variable: Variable): void {
    this.#memory.free(variable);
  }

  async close(): Promise<void> {
    this.#memory.freeAll();
    this.#device.close();
  }

  // -- convolution ----------------------------------------------------------------------------------------------------

  conv2d(x: Tensor, filter: Variable, geometry: ConvGeometry): Tensor {
    return this.#tensor(conv2d(this.#gpu, this.#info(x), this.#info(filter), geometry));
  }

  conv2dGradient(dy: Tensor, x: Tensor, filter: Variable, geometry: ConvGeometry, wantInput: boolean) {
    checkSameShape("conv2dGradient", dy.shape, convolutionShape(x.shape, filter.shape, geometry));
    const [gpu, gradient] = [this.#gpu, this.#info(dy)];
    const dfilter = this.#tensor(filterGradient(gpu, gradient, this.#info(x), filter.shape, geometry));
    if (!wantInput) return { dx: undefined, dfilter };
    return { dx: this.#tensor(inputGradient(gpu, gradient, x.shape, this.#info(filter), geometry)), dfilter };
  }

  addBias(x: Tensor, bias: Variable): Tensor {
    const channels = checkChannels("addBias", x.shape, bias.shape);
    return this.#map(x.shape, { x, bias }, "return x[i] + bias[i % channels];", { channels });
  }

  addBiasGradient(dy: Tensor): Tensor {
    return this.#tensor(this.#sumRows(dy));
  }

  // -- normalisation --------------------------------------------------------------------------------------------------

  batchNormTrain(x: Tensor, parameters: BatchNormVariables, momentum: number, epsilon: number) {
    const gpu = this.#gpu;
    const { scale, shift, runningMean, runningVariance } = parameters;
    const info = this.#info(x);
    const channels = checkChannels("batchNormTrain", x.shape, scale.shape);
    const { mean, variance, count } = normalisation.channelMoments(gpu, info, channels);
    const inverse = normalisation.inverseStd(gpu, variance, epsilon);
    const affine = { scale: this.#info(scale), shift: this.#info(shift) };
    const y = normalisation.normaliseChannels(gpu, info, { mean, inverse, ...affine });
    const move = (running: Variable, batch: TensorInfo, factor: number): void =>
      this.#memory.replace(running, normalisation.moved(gpu, this.#info(running), batch, momentum, factor));
    move(runningMean, mean, 1);
    move(runningVariance, variance, count / Math.max(1, count - 1));
    this.#memory.drop(variance);
    return { y: this.#tensor(y), saved: this.#memory.saved({ mean, inverse }) };
  }

  batchNormGradient(dy: Tensor, x: Tensor, { scale }: BatchNormVariables, saved: Saved) {
    checkSameShape("batchNormGradient", dy.shape, x.shape);
    const statistics = this.#memory.savedInfos<"mean" | "inverse">(saved);
    const [gradient, info] = [this.#info(dy), this.#info(x)];
    return this.#gradients(normalisation.batchNormGradient(this.#gpu, gradient, info, this.#info(scale), statistics));
  }

  batchNormEval(x: Tensor, { scale, shift, runningMean, runningVariance }: BatchNormVariables, epsilon: number) {
    checkChannels("batchNormEval", x.shape, scale.shape);
    const inverse = normalisation.inverseStd(this.#gpu, this.#info(runningVariance), epsilon);
    const y = normalisation.normaliseChannels(this.#gpu, this.#info(x), {
      mean: this.#info(runningMean),
      inverse,
      scale: this.#info(scale),
      shift: this.#info(shift),
    });
    this.#memory.drop(inverse);
    return this.#tensor(y);
  }

  groupNorm(x: Tensor, scale: Variable, shift: Variable, groups: number, epsilon: number) {
    checkChannels("groupNorm", x.shape, scale.shape);
    const info = this.#info(x);
    const statistics = normalisation.groupStatistics(this.#gpu, info, groups, epsilon);
    const affine = { scale: this.#info(scale), shift: this.#info(shift) };
    const y = normalisation.normaliseGroups(this.#gpu, info, groups, { ...statistics, ...affine });
    return { y: this.#tensor(y), saved: this.#memory.saved(statistics) };
  }

  groupNormGradient(dy: Tensor, x: Tensor, scale: Variable, saved: Saved) {
    checkSameShape("groupNormGradient", dy.shape, x.shape);
    const statistics = this.#memory.savedInfos<"mean" | "inverse">(saved);
    const [gradient, info] = [this.#info(dy), this.#info(x)];
    return this.#gradients(normalisation.groupNormGradient(this.#gpu, gradient, info, this.#info(scale), statistics));
  }

  // -- pointwise and pooling ------------------------------------------------------------------------------------------

  relu(x: Tensor): Tensor {
    // A NaN stays one, so that a training that diverged shows.
    return this.#map(x.shape, { x }, "return select(x[i], 0.0, x[i] < 0.0);");
  }

  reluGradient(dy: Tensor, y: Tensor): Tensor {
    checkSameShape("reluGradient", dy.shape, y.shape);
    return this.#map(y.shape, { dy, y }, "return select(0.0, dy[i], y[i] > 0.0);");
  }

  add(a: Tensor, b: Tensor): Tensor {
    checkSameShape("add", a.shape, b.shape);
    return this.#map(a.shape, { a, b }, "return a[i] + b[i];");
  }

  multiply(a: Tensor, b: Tensor): Tensor {
    checkSameShape("multiply", a.shape, b.shape);
    return this.#map(a.shape, { a, b }, "return a[i] * b[i];");
  }

  reshape(x: Tensor, shape: Shape): Tensor {
    return this.#memory.reshape(x, shape);
  }

  maxPool(x: Tensor, geometry: PoolGeometry): Tensor {
    return this.#tensor(pooling.maxPool(this.#gpu, this.#info(x), geometry));
  }

  maxPoolGradient(dy: Tensor, x: Tensor, y: Tensor, geometry: PoolGeometry): Tensor {
    checkSameShape("maxPoolGradient", dy.shape, y.shape);
    return this.#tensor(pooling.maxPoolGradient(this.#gpu, this.#info(dy), this.#info(x), geometry));
  }

  adaptiveAveragePool(x: Tensor, size: number): Tensor {
    return this.#tensor(pooling.adaptiveAveragePool(this.#gpu, this.#info(x), size));
  }

  adaptiveAveragePoolGradient(dy: Tensor, inputShape: Shape): Tensor {
    return this.#tensor(pooling.adaptiveAveragePoolGradient(this.#gpu, this.#info(dy), inputShape));
  }

  // -- dense and loss -------------------------------------------------------------------------------------------------

  dense(x: Tensor, weight: Variable, bias: Variable): Tensor {
    const [n = 0] = x.shape;
    const [inputs = 0, outputs = 0] = weight.shape;
    checkSameShape("dense", x.shape, [n, inputs]);
    checkSameShape("dense", bias.shape, [outputs]);
    const product = this.#product(this.#info(x), this.#info(weight));
    const y = this.#gpu.programs.map([n, outputs], {
      inputs: { product, bias: this.#info(bias) },
      ints: { outputs },
      value: "return product[i] + bias[i % outputs];",
    });
    this.#memory.drop(product);
    return this.#tensor(y);
  }

  denseGradient(dy: Tensor, x: Tensor, weight: Variable) {
    const [n = 0] = x.shape;
    const [inputs = 0, outputs = 0] = weight.shape;
    checkSameShape("denseGradient", dy.shape, [n, outputs]);
    checkSameShape("denseGradient", x.shape, [n, inputs]);
    const gradient = this.#info(dy);
    return {
      dx: this.#tensor(this.#product(gradient, this.#info(weight), { transposeB: true })),
      dweight: this.#tensor(this.#product(this.#info(x), gradient, { transposeA: true })),
      dbias: this.#tensor(this.#sumRows(dy)),
    };
  }

  softmaxCrossEntropy(logits: Tensor, targets: Tensor) {
    const [n = 0, classes = 0] = logits.shape;
    const labelled = targets.dtype === "int32";
    if (targets.dtype === "uint8") throw new TypeError("targets are int32 labels or float32 probabilities, not uint8");
    checkSameShape("softmaxCrossEntropy", targets.shape, labelled ? [n] : [n, classes]);
    const wrong = this.#memory.range(targets)?.find((label) => label < 0 || label >= classes);
    if (wrong !== undefined) throw new RangeError(`label ${wrong} is not one of ${classes} classes`);
    const scores = this.#info(logits);
    const { shift, sum } = this.#exponentialSums(scores);
    const inputs = { scores, wanted: this.#info(targets), shift, sum_: sum };
    const share = (row: string, at: string) =>
      labelled ? `select(0.0, 1.0, wanted[${row}] == ${at} % classes)` : `wanted[${at}]`;
    const loss = this.#gpu.programs.sum([], {
      inputs,
      ints: { classes, rows: n },
      terms: n * classes,
      term: `
        let row = k / classes; let share = ${share("row", "k")};
        if (share == 0.0) { return 0.0; }
        return share * (log(sum_[row]) + (shift[row] - scores[k]));`,
      result: "sum / f32(rows)",
    });
    const dlogits = this.#gpu.programs.map(logits.shape, {
      inputs,
      ints: { classes, rows: n },
      value: `
        let row = i / classes;
        return (exp(scores[i] - shift[row]) / sum_[row] - ${share("row", "i")}) / f32(rows);`,
    });
    this.#memory.drop(shift, sum);
    return { loss: this.#tensor(loss), dlogits: this.#tensor(dlogits) };
  }

  softmax(logits: Tensor): Tensor {
    const scores = this.#info(logits);
    const { shift, sum } = this.#exponentialSums(scores);
    const result = this.#gpu.programs.map(logits.shape, {
      inputs: { scores, shift, sum_: sum },
      ints: { classes: logits.shape[1] ?? 1 },
      value: "let row = i / classes; return exp(scores[i] - shift[row]) / sum_[row];",
    });
    this.#memory.drop(shift, sum);
    return this.#tensor(result);
  }

  // -- images ---------------------------------------------------------------------------------------------------------

  normalizeImages(images: Tensor, mean: readonly number[], std: readonly number[]): Tensor {
    if (images.dtype !== "uint8") throw new TypeError(`images are uint8, not ${images.dtype}`);
    const channels = checkChannels("normalizeImages", images.shape, [mean.length]);
    checkChannels("normalizeImages", images.shape, [std.length]);
    const [means, stds] = [mean, std].map((values) => this.#memory.write(Float32Array.from(values), [channels]));
    const result = this.#gpu.programs.map(images.shape, {
      inputs: { pixels: this.#info(images), means: means!, stds: stds! },
      ints: { channels },
      value: "let c = i % channels; return (f32(pixels[i]) / 255.0 - means[c]) / stds[c];",
    });
    this.#memory.drop(means!, stds!);
    return this.#tensor(result);
  }

  // -- whole gradients ------------------------------------------------------------------------------------------------

  scale(x: Tensor, factor: number): Tensor {
    return this.#map(x.shape, { x }, "return x[i] * factor;", {}, { factor });
  }

  clamp(x: Tensor, limit: number): Tensor {
    return this.#map(x.shape, { x }, "return select(clamp(x[i], -limit, limit), x[i], isnan(x[i]));", {}, { limit });
  }

  sumOfSquares(x: Tensor | Variable): Tensor {
    const sum = this.#gpu.programs.sum([], {
      inputs: { x: this.#info(x) },
      terms: elementsOf(x.shape),
      term: "return x[k] * x[k];",
    });
    return this.#tensor(sum);
  }

  // -- optimiser updates ----------------------------------------------------------------------------------------------

  sgdUpdate(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void {
    checkSameShape("sgdUpdate", weight.shape, gradient.shape);
    const velocity = slot && this.#info(slot);
    const moved = update.sgd(this.#gpu, this.#info(weight), this.#info(gradient), velocity, settings);
    this.#memory.replace(weight, moved.weight);
    if (slot !== undefined && moved.slot !== undefined) this.#memory.replace(slot, moved.slot);
  }

  adamUpdate(
    weight: Variable,
    gradient: Tensor,
    first: Variable,
    second: Variable,
    settings: AdamSettings,
    step: number,
  ): void {
    checkSameShape("adamUpdate", weight.shape, gradient.shape);
    const infos = [this.#info(weight), this.#info(gradient), this.#info(first), this.#info(second)] as const;
    const moved = update.adam(this.#gpu, ...infos, settings, step);
    this.#memory.replace(weight, moved.weight);
    this.#memory.replace(first, moved.first);
    this.#memory.replace(second, moved.second);
  }

  rmspropUpdate(weight: Variable, gradient: Tensor, slots: RmspropSlots, settings: RmspropSettings): void {
    checkSameShape("rmspropUpdate", weight.shape, gradient.shape);
    const { meanSquare, meanGradient, velocity } = slots;
    const infos = {
      meanSquare: this.#info(meanSquare),
      meanGradient: meanGradient && this.#info(meanGradient),
      velocity: velocity && this.#info(velocity),
    };
    const moved = update.rmsprop(this.#gpu, this.#info(weight), this.#info(gradient), infos, settings);
    this.#memory.replace(weight, moved.weight);
    this.#memory.replace(meanSquare, moved.meanSquare);
    if (meanGradient && moved.meanGradient) this.#memory.replace(meanGradient, moved.meanGradient);
    if (velocity && moved.velocity) this.#memory.replace(velocity, moved.velocity);
  }

  averageUpdate(average: Variable, value: Variable, share: number): void {
    checkSameShape("averageUpdate", average.shape, value.shape);
    this.#memory.replace(average, update.average(this.#gpu, this.#info(average), this.#info(value), share));
  }

  // -- inside ---------------------------------------------------------------------------------------------------------

  #info(handle: Tensor | Variable): TensorInfo {
    return this.#memory.info(handle);
  }

  #tensor(info: TensorInfo): Tensor {
    return this.#memory.tensor(info);
  }

  #gradients({ dx, dscale, dshift }: normalisation.NormalisationGradients) {
    return { dx: this.#tensor(dx), dscale: this.#tensor(dscale), dshift: this.#tensor(dshift) };
  }

  #map(
    shape: Shape,
    handles: Readonly<Record<string, Tensor | Variable>>,
    value: string,
    ints: Readonly<Record<string, number>> = {},
    floats: Readonly<Record<string, number>> = {},
  ): Tensor {
    const inputs = Object.fromEntries(Object.entries(handles).map(([name, handle]) => [name, this.#info(handle)]));
    return this.#tensor(this.#gpu.programs.map(shape, { inputs, ints, floats, value }));
  }

  #sumRows(dy: Tensor): TensorInfo {
    const channels = dy.shape.at(-1) ?? 1;
    return this.#gpu.programs.sum([channels], {
      inputs: { dy: this.#info(dy) },
      ints: { channels },
      terms: elementsOf(dy.shape) / channels,
      term: "return dy[k * channels + i];",
    });
  }

  /** Each row's maximum, and the sum of its exponentials less that maximum, so that nothing overflows. */
  #exponentialSums(scores: TensorInfo): { readonly shift: TensorInfo; readonly sum: TensorInfo } {
    const [n = 0, classes = 1] = scores.shape;
    const ints = { classes };
    const shift = this.#gpu.programs.map([n], {
      inputs: { scores },
      ints,
      value: `
        var most = scores[i * classes];
        for (var c = 1; c < classes; c++) { most = max(most, scores[i * classes + c]); }
        return most;`,
    });
    const sum = this.#gpu.programs.map([n], {
      inputs: { scores, shift },
      ints,
      value: `
        var total = 0.0;
        for (var c = 0; c < classes; c++) { total += exp(scores[i * classes + c] - shift[i]); }
        return total;`,
    });
    return { shift, sum };
  }

  #product(a: TensorInfo, b: TensorInfo, { transposeA = false, transposeB = false } = {}): TensorInfo {
    return this.#gpu.kernel("BatchMatMul", { a, b }, { transposeA, transposeB });
  }
}
