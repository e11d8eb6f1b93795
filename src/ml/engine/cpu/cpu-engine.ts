/**
 * The cpu engine: plain TypeScript, no dependency, double precision inside. It is the reference that other engines and
 * the reverse pass are held to, so it prefers exact semantics to speed (a ResNet-18 step at 64 px takes seconds).
 *
 * Between steps the state must survive a checkpoint, whose numbers are float32. So `createEngine` keeps variables in
 * float32 and a resumed training has the bits of an uninterrupted one; `createReferenceEngine` keeps them in double.
 */
import type { CreateEngine, Engine, EngineOptions, Shape, Tensor, TensorArray, Variable } from "../engine.ts";
import { UnsupportedOnEngine } from "../engine.ts";
import * as convolution from "./convolution.ts";
import * as densely from "./dense.ts";
import * as normalisation from "./normalisation.ts";
import * as pooling from "./pooling.ts";
import { type Reals, Storage, type TensorData } from "./storage.ts";
import * as update from "./update.ts";

/** The cpu engine with doubles at both ends, for parity tests that bound errors at 1e-9. */
export interface ReferenceEngine extends Engine {
  upload(data: TensorArray | Float64Array, shape: Shape): Tensor;
  variable(data: Reals, shape: Shape): Variable;
  assign(variable: Variable, data: Reals): void;
  /** The unrounded elements of a float32 tensor or a variable. The array is the caller's. */
  downloadFloat64(tensor: Tensor | Variable): Float64Array;
}

/** Computes in double and keeps variables in float32. `threads` is ignored, `folder` unused. */
export const createEngine: CreateEngine = async (options: EngineOptions) => {
  if (options.precision !== "float32")
    throw new UnsupportedOnEngine("cpu", `${options.precision} arithmetic`, ["native"]);
  return openCpuEngine((data) => Float32Array.from(data));
};

/** Computes in double and keeps variables in double. */
export function createReferenceEngine(): ReferenceEngine {
  return openCpuEngine((data) => Float64Array.from(data));
}

function openCpuEngine(copyState: (data: Reals) => Reals): ReferenceEngine {
  const storage = new Storage();
  const make = (data: TensorData, shape: Shape) => storage.tensor(data, shape);
  const read = (tensor: Tensor) => storage.reals(tensor);
  const state = (variable: Variable) => storage.state(variable);
  const weights = (variable: Variable) => Float64Array.from(state(variable));
  const gradients = (g: normalisation.NormalisationGradient, shape: Shape) => ({
    dx: make(g.dx, shape),
    dscale: make(g.dscale, [g.dscale.length]),
    dshift: make(g.dshift, [g.dshift.length]),
  });

  return {
    name: "cpu",
    version: "tfpipe cpu 1",

    upload: (data, shape) => make(data instanceof Float32Array ? Float64Array.from(data) : data.slice(), shape),
    download: async (tensor) => {
      const data = isVariable(tensor) ? state(tensor) : storage.data(tensor);
      return data instanceof Float64Array ? Float32Array.from(data) : data.slice();
    },
    downloadFloat64: (tensor) => (isVariable(tensor) ? weights(tensor) : read(tensor).slice()),
    dispose(...tensors) {
      for (const tensor of tensors) if (tensor !== undefined) storage.free(tensor);
    },
    disposeSaved: (saved) => storage.free(saved),
    liveTensors: () => storage.liveTensors(),
    variable: (data, shape) => storage.variable(copyState(data), shape),
    assign(variable, data) {
      checkSameLength("assign", state(variable).length, data.length);
      state(variable).set(data);
    },
    disposeVariable: (variable) => storage.free(variable),
    close: async () => storage.freeAll(),

    conv2d: (x, filter, geometry) =>
      make(
        convolution.conv2d(read(x), x.shape, weights(filter), filter.shape, geometry),
        convolution.convolutionShape(x.shape, filter.shape, geometry),
      ),
    conv2dGradient(dy, x, filter, geometry, wantInput) {
      checkSameShape("conv2dGradient", dy.shape, convolution.convolutionShape(x.shape, filter.shape, geometry));
      const { dx, dfilter } = convolution.conv2dGradient(
        read(dy),
        read(x),
        x.shape,
        weights(filter),
        filter.shape,
        geometry,
        wantInput,
      );
      return { dx: dx && make(dx, x.shape), dfilter: make(dfilter, filter.shape) };
    },

    addBias(x, bias) {
      const channels = channelsOf(x.shape, bias);
      const shift = state(bias);
      return make(
        read(x).map((value, i) => value + shift[i % channels]!),
        x.shape,
      );
    },
    addBiasGradient(dy) {
      const channels = dy.shape.at(-1)!;
      return make(densely.sumRows(read(dy), channels), [channels]);
    },

    batchNormTrain(x, { scale, shift, runningMean, runningVariance }, momentum, epsilon) {
      const data = read(x);
      const channels = channelsOf(x.shape, scale);
      const { mean, variance } = normalisation.channelMoments(data, channels);
      const inverseStd = normalisation.inverseStandardDeviation(variance, epsilon);
      const running = { mean: state(runningMean), variance: state(runningVariance) };
      normalisation.moveRunningStatistics(running, { mean, variance }, data.length / channels, momentum);
      const y = normalisation.normaliseChannels(data, mean, inverseStd, state(scale), state(shift));
      return { y: make(y, x.shape), saved: storage.saved({ mean, inverseStd } satisfies normalisation.Statistics) };
    },
    batchNormGradient: (dy, x, { scale }, saved) =>
      gradients(
        normalisation.batchNormGradient(
          read(dy),
          read(x),
          state(scale),
          storage.savedValue<normalisation.Statistics>(saved),
        ),
        x.shape,
      ),
    batchNormEval(x, { scale, shift, runningMean, runningVariance }, epsilon) {
      channelsOf(x.shape, scale);
      const inverseStd = normalisation.inverseStandardDeviation(state(runningVariance), epsilon);
      return make(
        normalisation.normaliseChannels(read(x), state(runningMean), inverseStd, state(scale), state(shift)),
        x.shape,
      );
    },
    groupNorm(x, scale, shift, groups, epsilon) {
      channelsOf(x.shape, scale);
      const statistics = normalisation.groupStatistics(read(x), x.shape, groups, epsilon);
      const y = normalisation.normaliseGroups(read(x), x.shape, groups, statistics, state(scale), state(shift));
      return { y: make(y, x.shape), saved: storage.saved({ groups, statistics } satisfies GroupSaved) };
    },
    groupNormGradient(dy, x, scale, saved) {
      const { groups, statistics } = storage.savedValue<GroupSaved>(saved);
      return gradients(
        normalisation.groupNormGradient(read(dy), read(x), x.shape, groups, state(scale), statistics),
        x.shape,
      );
    },

    relu: (x) =>
      make(
        read(x).map((value) => Math.max(value, 0)),
        x.shape,
      ),
    reluGradient(dy, y) {
      checkSameShape("reluGradient", dy.shape, y.shape);
      const output = read(y);
      return make(
        read(dy).map((value, i) => (output[i]! > 0 ? value : 0)),
        y.shape,
      );
    },
    add(a, b) {
      checkSameShape("add", a.shape, b.shape);
      const right = read(b);
      return make(
        read(a).map((value, i) => value + right[i]!),
        a.shape,
      );
    },
    multiply(a, b) {
      checkSameShape("multiply", a.shape, b.shape);
      const right = read(b);
      return make(
        read(a).map((value, i) => value * right[i]!),
        a.shape,
      );
    },
    reshape: (x, shape) => make(storage.data(x), shape),
    maxPool(x, geometry) {
      const data = read(x);
      const indices = pooling.maxPoolIndices(data, x.shape, geometry);
      return make(
        Float64Array.from(indices, (at) => data[at]!),
        pooling.maxPoolShape(x.shape, geometry),
      );
    },
    maxPoolGradient(dy, x, y, geometry) {
      checkSameShape("maxPoolGradient", dy.shape, y.shape);
      const outer = read(dy);
      const dx = new Float64Array(read(x).length);
      pooling.maxPoolIndices(read(x), x.shape, geometry).forEach((at, i) => {
        dx[at] = dx[at]! + outer[i]!;
      });
      return make(dx, x.shape);
    },
    adaptiveAveragePool: (x, size) =>
      make(pooling.adaptiveAveragePool(read(x), x.shape, size), [x.shape[0]!, size, size, x.shape[3]!]),
    adaptiveAveragePoolGradient: (dy, inputShape) =>
      make(pooling.adaptiveAveragePoolGradient(read(dy), dy.shape[1]!, inputShape), inputShape),

    dense(x, weight, bias) {
      checkSameShape("dense", x.shape, [x.shape[0]!, weight.shape[0]!]);
      return make(densely.dense(read(x), weights(weight), weights(bias)), [x.shape[0]!, weight.shape[1]!]);
    },
    denseGradient(dy, x, weight) {
      checkSameShape("denseGradient", dy.shape, [x.shape[0]!, weight.shape[1]!]);
      const { dx, dweight, dbias } = densely.denseGradient(read(dy), read(x), weights(weight), x.shape[0]!);
      return { dx: make(dx, x.shape), dweight: make(dweight, weight.shape), dbias: make(dbias, [dbias.length]) };
    },
    softmaxCrossEntropy(logits, labels) {
      const classes = logits.shape[1]!;
      const indices = storage.data(labels);
      if (!(indices instanceof Int32Array)) throw new TypeError(`labels are int32, not ${labels.dtype}`);
      checkSameLength("softmaxCrossEntropy", logits.shape[0]!, indices.length);
      const { loss, dlogits } = densely.softmaxCrossEntropy(read(logits), indices, classes);
      return { loss: make(Float64Array.of(loss), []), dlogits: make(dlogits, logits.shape) };
    },
    softmax: (logits) => make(densely.softmax(read(logits), logits.shape[1]!), logits.shape),

    normalizeImages(images, mean, std) {
      const pixels = storage.data(images);
      const channels = mean.length;
      if (!(pixels instanceof Uint8Array)) throw new TypeError(`images are uint8, not ${images.dtype}`);
      checkSameLength("normalizeImages", images.shape[3]!, channels);
      return make(
        Float64Array.from(pixels, (value, i) => (value / 255 - mean[i % channels]!) / std[i % channels]!),
        images.shape,
      );
    },

    sgdUpdate(weight, gradient, slot, settings) {
      checkSameShape("sgdUpdate", weight.shape, gradient.shape);
      update.sgdUpdate(state(weight), read(gradient), slot && state(slot), settings);
    },
    adamUpdate(weight, gradient, first, second, settings, step) {
      checkSameShape("adamUpdate", weight.shape, gradient.shape);
      update.adamUpdate(state(weight), read(gradient), state(first), state(second), settings, step);
    },
  };
}

interface GroupSaved {
  readonly groups: number;
  readonly statistics: normalisation.Statistics;
}

function isVariable(handle: Tensor | Variable): handle is Variable {
  return "variable" in handle;
}

function channelsOf(shape: Shape, scale: Variable): number {
  checkSameLength("channels", shape.at(-1) ?? 0, scale.shape[0] ?? 0);
  return scale.shape[0]!;
}

function checkSameLength(op: string, expected: number, actual: number): void {
  if (expected !== actual) throw new RangeError(`${op}: ${expected} elements were expected, not ${actual}`);
}

function checkSameShape(op: string, a: Shape, b: Shape): void {
  if (a.length !== b.length || a.some((size, i) => size !== b[i]))
    throw new RangeError(`${op}: shapes [${a}] and [${b}] do not agree`);
}
