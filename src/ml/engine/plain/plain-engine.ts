/**
 * The engine interface over typed arrays, in TypeScript: every op but the products, which the engine that opens it
 * brings. The cpu engine is this in double precision; the wasm engine is this in float32 with the products on wasm,
 * where nearly all of a training's time goes. No state but the engine's own, and the same inputs give the same bits.
 */
import type { Engine, EngineName, Shape, Tensor, TensorArray, Variable } from "../engine.ts";
import { type ConvolutionInputs, conv2d, conv2dGradient } from "./convolution.ts";
import { dense, denseGradient } from "./dense.ts";
import { softmax, softmaxCrossEntropy, softmaxCrossEntropyOfProbabilities } from "./loss.ts";
import type { Multiply } from "./matrix.ts";
import * as normalisation from "./normalisation.ts";
import * as pointwise from "./pointwise.ts";
import * as pooling from "./pooling.ts";
import { reachedTaps } from "./reached-taps.ts";
import { checkChannels, checkSameShape, convolutionShape, elementsOf, imageShape, maxPoolShape } from "./shapes.ts";
import { type Reals, Storage, type TensorData } from "./storage.ts";
import { adamUpdate, averageUpdate, rmspropUpdate, sgdUpdate } from "./update.ts";

export interface PlainEngineParts {
  readonly name: EngineName;
  readonly version: string;
  /** A copy of a float32 tensor's elements in the precision that the engine computes in. */
  readonly copyTensor: (data: Reals) => Reals;
  /** A copy of a variable's elements in the precision that the engine keeps between steps. */
  readonly copyVariable: (data: Reals) => Reals;
  readonly multiply: Multiply;
  /** A forward convolution quicker than the one by patches; undefined leaves this one to the patches. */
  readonly convolve?: (inputs: ConvolutionInputs) => Reals | undefined;
  readonly close: () => void;
}

/** An engine that also takes and gives doubles. */
export interface PlainEngine extends Engine {
  upload(data: TensorArray | Float64Array, shape: Shape): Tensor;
  variable(data: Reals, shape: Shape): Variable;
  assign(variable: Variable, data: Reals): void;
  /** The unrounded elements of a float32 tensor or a variable. The array is the caller's. */
  downloadFloat64(tensor: Tensor | Variable): Float64Array;
}

interface GroupSaved {
  readonly groups: number;
  readonly statistics: normalisation.Statistics;
}

export function openPlainEngine(parts: PlainEngineParts): PlainEngine {
  const { multiply } = parts;
  const storage = new Storage();
  const make = (data: TensorData, shape: Shape) => storage.tensor(data, shape);
  const read = (handle: Tensor | Variable) => storage.reals(handle);
  const convolution = (x: Tensor, filter: Variable, geometry: ConvolutionInputs["geometry"]): ConvolutionInputs => ({
    x: read(x),
    xShape: x.shape,
    filter: read(filter),
    filterShape: filter.shape,
    geometry,
  });
  const normalisationGradients = ({ dx, dscale, dshift }: normalisation.NormalisationGradient, shape: Shape) => ({
    dx: make(dx, shape),
    dscale: make(parts.copyTensor(dscale), [dscale.length]),
    dshift: make(parts.copyTensor(dshift), [dshift.length]),
  });

  return {
    name: parts.name,
    precision: "float32",
    version: parts.version,

    upload: (data, shape) => make(isReals(data) ? parts.copyTensor(data) : data.slice(), shape),
    download: async (handle) => {
      const data = "variable" in handle ? read(handle) : storage.data(handle);
      return data instanceof Float64Array ? Float32Array.from(data) : data.slice();
    },
    downloadFloat64: (handle) => Float64Array.from(read(handle)),
    dispose(...tensors) {
      for (const tensor of tensors) if (tensor !== undefined) storage.free(tensor);
    },
    disposeSaved: (saved) => storage.free(saved),
    liveTensors: () => storage.liveTensors(),
    variable: (data, shape) => storage.variable(parts.copyVariable(data), shape),
    assign(variable, data) {
      checkSameShape("assign", [elementsOf(variable.shape)], [data.length]);
      read(variable).set(data);
    },
    disposeVariable: (variable) => storage.free(variable),
    async close() {
      storage.freeAll();
      parts.close();
    },

    conv2d(x, filter, geometry) {
      const shape = convolutionShape(x.shape, filter.shape, geometry);
      const whole = convolution(x, filter, geometry);
      const inputs = reachedTaps(whole)?.inputs ?? whole;
      return make(parts.convolve?.(inputs) ?? conv2d(inputs, multiply), shape);
    },
    conv2dGradient(dy, x, filter, geometry, wantInput) {
      checkSameShape("conv2dGradient", dy.shape, convolutionShape(x.shape, filter.shape, geometry));
      const whole = convolution(x, filter, geometry);
      const reached = reachedTaps(whole);
      const gradient = conv2dGradient(read(dy), reached?.inputs ?? whole, wantInput, parts);
      const dfilter = reached?.wholeGradient(gradient.dfilter) ?? gradient.dfilter;
      return { dx: gradient.dx && make(gradient.dx, x.shape), dfilter: make(dfilter, filter.shape) };
    },
    addBias(x, bias) {
      checkChannels("addBias", x.shape, bias.shape);
      return make(pointwise.addBias(read(x), read(bias)), x.shape);
    },
    addBiasGradient(dy) {
      const channels = dy.shape.at(-1) ?? 1;
      return make(pointwise.sumRows(read(dy), channels), [channels]);
    },

    batchNormTrain(x, { scale, shift, runningMean, runningVariance }, momentum, epsilon) {
      const data = read(x);
      const channels = checkChannels("batchNormTrain", x.shape, scale.shape);
      const { mean, variance } = normalisation.channelMoments(data, channels);
      const inverseStd = normalisation.inverseStandardDeviation(variance, epsilon);
      const y = normalisation.normaliseChannels(data, mean, inverseStd, read(scale), read(shift));
      const running = { mean: read(runningMean), variance: read(runningVariance) };
      normalisation.moveRunningStatistics(running, { mean, variance }, data.length / channels, momentum);
      return { y: make(y, x.shape), saved: storage.saved({ mean, inverseStd } satisfies normalisation.Statistics) };
    },
    batchNormGradient(dy, x, { scale }, saved) {
      checkSameShape("batchNormGradient", dy.shape, x.shape);
      const statistics = storage.savedValue<normalisation.Statistics>(saved);
      return normalisationGradients(
        normalisation.batchNormGradient(read(dy), read(x), read(scale), statistics),
        x.shape,
      );
    },
    batchNormEval(x, { scale, shift, runningMean, runningVariance }, epsilon) {
      checkChannels("batchNormEval", x.shape, scale.shape);
      const inverseStd = normalisation.inverseStandardDeviation(read(runningVariance), epsilon);
      const y = normalisation.normaliseChannels(read(x), read(runningMean), inverseStd, read(scale), read(shift));
      return make(y, x.shape);
    },
    groupNorm(x, scale, shift, groups, epsilon) {
      checkChannels("groupNorm", x.shape, scale.shape);
      const statistics = normalisation.groupStatistics(read(x), x.shape, groups, epsilon);
      const y = normalisation.normaliseGroups(read(x), x.shape, groups, statistics, read(scale), read(shift));
      return { y: make(y, x.shape), saved: storage.saved({ groups, statistics } satisfies GroupSaved) };
    },
    groupNormGradient(dy, x, scale, saved) {
      checkSameShape("groupNormGradient", dy.shape, x.shape);
      const { groups, statistics } = storage.savedValue<GroupSaved>(saved);
      return normalisationGradients(
        normalisation.groupNormGradient(read(dy), read(x), x.shape, groups, read(scale), statistics),
        x.shape,
      );
    },

    relu: (x) => make(pointwise.relu(read(x)), x.shape),
    reluGradient(dy, y) {
      checkSameShape("reluGradient", dy.shape, y.shape);
      return make(pointwise.reluGradient(read(dy), read(y)), y.shape);
    },
    add(a, b) {
      checkSameShape("add", a.shape, b.shape);
      return make(pointwise.add(read(a), read(b)), a.shape);
    },
    multiply(a, b) {
      checkSameShape("multiply", a.shape, b.shape);
      return make(pointwise.multiplyElements(read(a), read(b)), a.shape);
    },
    reshape: (x, shape) => make(storage.data(x), shape),
    maxPool: (x, geometry) => make(pooling.maxPool(read(x), x.shape, geometry), maxPoolShape(x.shape, geometry)),
    maxPoolGradient(dy, x, y, geometry) {
      checkSameShape("maxPoolGradient", dy.shape, y.shape);
      return make(pooling.maxPoolGradient(read(dy), read(x), x.shape, geometry), x.shape);
    },
    adaptiveAveragePool(x, size) {
      const [n, , , c] = imageShape("adaptiveAveragePool", x.shape);
      return make(pooling.adaptiveAveragePool(read(x), x.shape, size), [n, size, size, c]);
    },
    adaptiveAveragePoolGradient(dy, inputShape) {
      const [, size] = imageShape("adaptiveAveragePoolGradient", dy.shape);
      return make(pooling.adaptiveAveragePoolGradient(read(dy), size, inputShape), inputShape);
    },

    dense(x, weight, bias) {
      const [n = 0] = x.shape;
      const [inputs = 0, outputs = 0] = weight.shape;
      checkSameShape("dense", x.shape, [n, inputs]);
      checkSameShape("dense", bias.shape, [outputs]);
      return make(dense(read(x), read(weight), read(bias), multiply), [n, outputs]);
    },
    denseGradient(dy, x, weight) {
      const [n = 0] = x.shape;
      const [inputs = 0, outputs = 0] = weight.shape;
      checkSameShape("denseGradient", dy.shape, [n, outputs]);
      checkSameShape("denseGradient", x.shape, [n, inputs]);
      const { dx, dweight, dbias } = denseGradient(read(dy), read(x), read(weight), n, multiply);
      return { dx: make(dx, x.shape), dweight: make(dweight, weight.shape), dbias: make(dbias, [outputs]) };
    },
    softmaxCrossEntropy(logits, targets) {
      const [n = 0, classes = 0] = logits.shape;
      const given = storage.data(targets);
      if (given instanceof Uint8Array)
        throw new TypeError(`targets are int32 labels or float32 probabilities, not ${targets.dtype}`);
      checkSameShape("softmaxCrossEntropy", targets.shape, given instanceof Int32Array ? [n] : [n, classes]);
      const { loss, dlogits } =
        given instanceof Int32Array
          ? softmaxCrossEntropy(read(logits), given, classes)
          : softmaxCrossEntropyOfProbabilities(read(logits), given, classes);
      return { loss: make(parts.copyTensor(Float64Array.of(loss)), []), dlogits: make(dlogits, logits.shape) };
    },
    softmax: (logits) => make(softmax(read(logits), logits.shape[1] ?? 1), logits.shape),

    normalizeImages(images, mean, std) {
      const pixels = storage.data(images);
      if (!(pixels instanceof Uint8Array)) throw new TypeError(`images are uint8, not ${images.dtype}`);
      checkChannels("normalizeImages", images.shape, [mean.length]);
      checkChannels("normalizeImages", images.shape, [std.length]);
      return make(parts.copyTensor(pointwise.normalizeImages(pixels, mean, std)), images.shape);
    },

    scale: (x, factor) => make(pointwise.scale(read(x), factor), x.shape),
    clamp: (x, limit) => make(pointwise.clamp(read(x), limit), x.shape),
    sumOfSquares: (x) => make(parts.copyTensor(Float64Array.of(pointwise.sumOfSquares(read(x)))), []),

    sgdUpdate(weight, gradient, slot, settings) {
      checkSameShape("sgdUpdate", weight.shape, gradient.shape);
      sgdUpdate(read(weight), read(gradient), slot && read(slot), settings);
    },
    adamUpdate(weight, gradient, first, second, settings, step) {
      checkSameShape("adamUpdate", weight.shape, gradient.shape);
      adamUpdate(read(weight), read(gradient), read(first), read(second), settings, step);
    },
    rmspropUpdate(weight, gradient, { meanSquare, meanGradient, velocity }, settings) {
      checkSameShape("rmspropUpdate", weight.shape, gradient.shape);
      const slots = {
        meanSquare: read(meanSquare),
        meanGradient: meanGradient && read(meanGradient),
        velocity: velocity && read(velocity),
      };
      rmspropUpdate(read(weight), read(gradient), slots, settings);
    },
    averageUpdate(average, value, share) {
      checkSameShape("averageUpdate", average.shape, value.shape);
      averageUpdate(read(average), read(value), share);
    },
  };
}

function isReals(data: TensorData): data is Reals {
  return data instanceof Float32Array || data instanceof Float64Array;
}
