/**
 * What every op must return, by brute force in double precision: loops written from the definitions, for clarity
 * alone, sharing no code with any engine. Gradients are the definitions' adjoints; `reference.test.ts` holds them to
 * finite differences. Longer than most files because it is one op after the other.
 */
import type { AdamSettings, ConvGeometry, PoolGeometry, RmspropSettings, SgdSettings, Shape } from "../engine.ts";

export interface Values {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export function zeros(...shape: readonly number[]): Values {
  return { shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
}

type Index = readonly [number, number, number, number];

/** Row-major position of an index in a four-dimensional array. */
function at(shape: Shape, [a, b, c, d]: Index): number {
  return ((a * shape[1]! + b) * shape[2]! + c) * shape[3]! + d;
}

function forEachIndex(shape: Shape, visit: (index: Index) => void): void {
  for (let a = 0; a < shape[0]!; a++)
    for (let b = 0; b < shape[1]!; b++)
      for (let c = 0; c < shape[2]!; c++) for (let d = 0; d < shape[3]!; d++) visit([a, b, c, d]);
}

function map(x: Values, f: (value: number, index: number) => number): Values {
  return { shape: x.shape, data: x.data.map(f) };
}

/** How many windows of a dilated kernel fit, counted one by one. */
function windows(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  let count = 0;
  while (count * stride + dilation * (kernel - 1) < size + 2 * padding) count++;
  return count;
}

// -- convolution ------------------------------------------------------------------------------------------------------

export function convolutionShape(x: Values, filter: Values, { stride, padding, dilation }: ConvGeometry): Shape {
  const along = (axis: number) => windows(x.shape[axis]!, filter.shape[axis - 1]!, stride, padding, dilation);
  return [x.shape[0]!, along(1), along(2), filter.shape[3]!];
}

/** Visits every product that a convolution sums: positions in its output, its input and its filter. */
function forEachProduct(
  x: Values,
  filter: Values,
  geometry: ConvGeometry,
  visit: (y: number, x: number, filter: number) => void,
): void {
  const { stride, padding, dilation, groups } = geometry;
  const [, h, w] = x.shape as [number, number, number];
  const [kh, kw, cinGroup, cout] = filter.shape as [number, number, number, number];
  const yShape = convolutionShape(x, filter, geometry);
  forEachIndex(yShape, ([image, oy, ox, oc]) => {
    const group = Math.floor(oc / (cout / groups));
    for (let ky = 0; ky < kh; ky++)
      for (let kx = 0; kx < kw; kx++) {
        const iy = oy * stride - padding + ky * dilation;
        const ix = ox * stride - padding + kx * dilation;
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
        for (let c = 0; c < cinGroup; c++)
          visit(
            at(yShape, [image, oy, ox, oc]),
            at(x.shape, [image, iy, ix, group * cinGroup + c]),
            at(filter.shape, [ky, kx, c, oc]),
          );
      }
  });
}

export function conv2d(x: Values, filter: Values, geometry: ConvGeometry): Values {
  const y = zeros(...convolutionShape(x, filter, geometry));
  forEachProduct(x, filter, geometry, (yi, xi, fi) => {
    y.data[yi]! += x.data[xi]! * filter.data[fi]!;
  });
  return y;
}

export function conv2dGradient(dy: Values, x: Values, filter: Values, geometry: ConvGeometry) {
  const dx = zeros(...x.shape);
  const dfilter = zeros(...filter.shape);
  forEachProduct(x, filter, geometry, (yi, xi, fi) => {
    dx.data[xi]! += dy.data[yi]! * filter.data[fi]!;
    dfilter.data[fi]! += dy.data[yi]! * x.data[xi]!;
  });
  return { dx, dfilter };
}

export function addBias(x: Values, bias: Values): Values {
  return map(x, (value, i) => value + bias.data[i % bias.data.length]!);
}

export function addBiasGradient(dy: Values): Values {
  const dbias = zeros(dy.shape.at(-1)!);
  dy.data.forEach((value, i) => {
    dbias.data[i % dbias.data.length]! += value;
  });
  return dbias;
}

// -- normalisation ----------------------------------------------------------------------------------------------------

/** Which elements are normalised together: element -> number of its set. */
type SetOf = (element: number) => number;

function batchSets(x: Values): SetOf {
  return (element) => element % x.shape[3]!;
}

function groupSets(x: Values, groups: number): SetOf {
  const [, h, w, c] = x.shape as [number, number, number, number];
  return (element) => Math.floor(element / (h * w * c)) * groups + Math.floor((element % c) / (c / groups));
}

/** Members, mean and biased variance of every set. */
function statistics(x: Values, setOf: SetOf) {
  const sets = new Map<number, number[]>();
  x.data.forEach((_, i) => {
    const members = sets.get(setOf(i)) ?? [];
    members.push(i);
    sets.set(setOf(i), members);
  });
  return new Map(
    [...sets].map(([set, members]) => {
      const mean = members.reduce((sum, i) => sum + x.data[i]!, 0) / members.length;
      const variance = members.reduce((sum, i) => sum + (x.data[i]! - mean) ** 2, 0) / members.length;
      return [set, { members, mean, variance }];
    }),
  );
}

function normalise(x: Values, setOf: SetOf, scale: Values, shift: Values, epsilon: number): Values {
  const sets = statistics(x, setOf);
  const channels = scale.data.length;
  return map(x, (value, i) => {
    const { mean, variance } = sets.get(setOf(i))!;
    return ((value - mean) / Math.sqrt(variance + epsilon)) * scale.data[i % channels]! + shift.data[i % channels]!;
  });
}

/** The chain rule through mean and variance, set by set, element by element. */
function normaliseGradient(dy: Values, x: Values, setOf: SetOf, scale: Values, epsilon: number) {
  const channels = scale.data.length;
  const dx = zeros(...x.shape);
  const dscale = zeros(channels);
  const dshift = zeros(channels);
  for (const { members, mean, variance } of statistics(x, setOf).values()) {
    const std = Math.sqrt(variance + epsilon);
    const dxhat = new Map(members.map((i) => [i, dy.data[i]! * scale.data[i % channels]!]));
    const dvariance = members.reduce((sum, i) => sum + dxhat.get(i)! * (x.data[i]! - mean) * -0.5 * std ** -3, 0);
    const dmean = members.reduce((sum, i) => sum - dxhat.get(i)! / std, 0);
    for (const i of members) {
      dx.data[i] =
        dxhat.get(i)! / std + (dvariance * 2 * (x.data[i]! - mean)) / members.length + dmean / members.length;
      dscale.data[i % channels]! += (dy.data[i]! * (x.data[i]! - mean)) / std;
      dshift.data[i % channels]! += dy.data[i]!;
    }
  }
  return { dx, dscale, dshift };
}

export function batchNormTrain(x: Values, scale: Values, shift: Values, epsilon: number): Values {
  return normalise(x, batchSets(x), scale, shift, epsilon);
}

export function batchNormGradient(dy: Values, x: Values, scale: Values, epsilon: number) {
  return normaliseGradient(dy, x, batchSets(x), scale, epsilon);
}

export function movedRunningStatistics(x: Values, mean: Values, variance: Values, momentum: number) {
  const batch = statistics(x, batchSets(x));
  return {
    mean: map(mean, (old, c) => (1 - momentum) * old + momentum * batch.get(c)!.mean),
    variance: map(variance, (old, c) => {
      const { members, variance: biased } = batch.get(c)!;
      return (1 - momentum) * old + (momentum * biased * members.length) / (members.length - 1);
    }),
  };
}

export function batchNormEval(
  x: Values,
  scale: Values,
  shift: Values,
  mean: Values,
  variance: Values,
  epsilon: number,
) {
  return map(x, (value, i) => {
    const c = i % scale.data.length;
    return ((value - mean.data[c]!) / Math.sqrt(variance.data[c]! + epsilon)) * scale.data[c]! + shift.data[c]!;
  });
}

export function groupNorm(x: Values, scale: Values, shift: Values, groups: number, epsilon: number): Values {
  return normalise(x, groupSets(x, groups), scale, shift, epsilon);
}

export function groupNormGradient(dy: Values, x: Values, scale: Values, groups: number, epsilon: number) {
  return normaliseGradient(dy, x, groupSets(x, groups), scale, epsilon);
}

// -- pointwise and pooling --------------------------------------------------------------------------------------------

export function relu(x: Values): Values {
  return map(x, (value) => Math.max(value, 0));
}

export function reluGradient(dy: Values, y: Values): Values {
  return map(dy, (value, i) => (y.data[i]! > 0 ? value : 0));
}

export function add(a: Values, b: Values): Values {
  return map(a, (value, i) => value + b.data[i]!);
}

export function multiply(a: Values, b: Values): Values {
  return map(a, (value, i) => value * b.data[i]!);
}

function poolShape({ shape }: Values, { size, stride, padding }: PoolGeometry): Shape {
  return [
    shape[0]!,
    windows(shape[1]!, size, stride, padding, 1),
    windows(shape[2]!, size, stride, padding, 1),
    shape[3]!,
  ];
}

/** Position in x of the first maximum of the window at an output index. */
function maximumOf(x: Values, { size, stride, padding }: PoolGeometry, [image, oy, ox, c]: Index): number {
  const [, h, w] = x.shape as [number, number, number];
  const inside: number[] = [];
  for (let iy = oy * stride - padding; iy < oy * stride - padding + size; iy++)
    for (let ix = ox * stride - padding; ix < ox * stride - padding + size; ix++)
      if (iy >= 0 && iy < h && ix >= 0 && ix < w) inside.push(at(x.shape, [image, iy, ix, c]));
  const maximum = Math.max(...inside.map((i) => x.data[i]!));
  return inside.find((i) => x.data[i] === maximum)!;
}

export function maxPool(x: Values, geometry: PoolGeometry): Values {
  const y = zeros(...poolShape(x, geometry));
  forEachIndex(y.shape, (index) => {
    y.data[at(y.shape, index)] = x.data[maximumOf(x, geometry, index)]!;
  });
  return y;
}

export function maxPoolGradient(dy: Values, x: Values, geometry: PoolGeometry): Values {
  const dx = zeros(...x.shape);
  forEachIndex(dy.shape, (index) => {
    dx.data[maximumOf(x, geometry, index)]! += dy.data[at(dy.shape, index)]!;
  });
  return dx;
}

/** Visits every pixel of every cell: positions in x and y, and the cell's area. */
function forEachCellPixel(xShape: Shape, yShape: Shape, visit: (x: number, y: number, area: number) => void): void {
  const [, h, w] = xShape as [number, number, number];
  const size = yShape[1]!;
  const from = (i: number, length: number) => Math.floor((i * length) / size);
  const to = (i: number, length: number) => Math.ceil(((i + 1) * length) / size);
  forEachIndex(yShape, ([image, i, j, c]) => {
    const area = (to(i, h) - from(i, h)) * (to(j, w) - from(j, w));
    for (let iy = from(i, h); iy < to(i, h); iy++)
      for (let ix = from(j, w); ix < to(j, w); ix++)
        visit(at(xShape, [image, iy, ix, c]), at(yShape, [image, i, j, c]), area);
  });
}

export function adaptiveAveragePool(x: Values, size: number): Values {
  const y = zeros(x.shape[0]!, size, size, x.shape[3]!);
  forEachCellPixel(x.shape, y.shape, (xi, yi, area) => {
    y.data[yi]! += x.data[xi]! / area;
  });
  return y;
}

export function adaptiveAveragePoolGradient(dy: Values, inputShape: Shape): Values {
  const dx = zeros(...inputShape);
  forEachCellPixel(inputShape, dy.shape, (xi, yi, area) => {
    dx.data[xi]! += dy.data[yi]! / area;
  });
  return dx;
}

// -- dense and loss ---------------------------------------------------------------------------------------------------

export function dense(x: Values, weight: Values, bias: Values): Values {
  const [n, inputs] = x.shape as [number, number];
  const outputs = bias.data.length;
  const y = zeros(n, outputs);
  for (let row = 0; row < n; row++)
    for (let o = 0; o < outputs; o++) {
      y.data[row * outputs + o] = bias.data[o]!;
      for (let i = 0; i < inputs; i++)
        y.data[row * outputs + o]! += x.data[row * inputs + i]! * weight.data[i * outputs + o]!;
    }
  return y;
}

export function denseGradient(dy: Values, x: Values, weight: Values) {
  const [n, inputs] = x.shape as [number, number];
  const outputs = weight.shape[1]!;
  const dx = zeros(n, inputs);
  const dweight = zeros(inputs, outputs);
  const dbias = zeros(outputs);
  for (let row = 0; row < n; row++)
    for (let o = 0; o < outputs; o++) {
      const outer = dy.data[row * outputs + o]!;
      dbias.data[o]! += outer;
      for (let i = 0; i < inputs; i++) {
        dx.data[row * inputs + i]! += outer * weight.data[i * outputs + o]!;
        dweight.data[i * outputs + o]! += outer * x.data[row * inputs + i]!;
      }
    }
  return { dx, dweight, dbias };
}

function rowsOf(logits: Values): number[][] {
  const [n, classes] = logits.shape as [number, number];
  return Array.from({ length: n }, (_, row) => [...logits.data.subarray(row * classes, (row + 1) * classes)]);
}

/** log(sum(exp(row))), by the row's maximum. */
function logSumExp(row: readonly number[]): number {
  const maximum = Math.max(...row);
  return maximum + Math.log(row.reduce((sum, value) => sum + Math.exp(value - maximum), 0));
}

export function softmax(logits: Values): Values {
  const data = rowsOf(logits).flatMap((row) => row.map((value) => Math.exp(value - logSumExp(row))));
  return { shape: logits.shape, data: Float64Array.from(data) };
}

export function softmaxCrossEntropy(logits: Values, labels: readonly number[]) {
  const classes = logits.shape[1]!;
  const data = Float64Array.from(logits.data, (_, i) => (labels[Math.floor(i / classes)] === i % classes ? 1 : 0));
  return softmaxCrossEntropyOfProbabilities(logits, { shape: logits.shape, data });
}

/** -sum(targets log(softmax(logits))), the mean over rows. */
export function softmaxCrossEntropyOfProbabilities(logits: Values, targets: Values) {
  const [rows, expected] = [rowsOf(logits), rowsOf(targets)];
  const loss =
    rows.reduce((sum, row, i) => {
      const whole = logSumExp(row);
      return sum + row.reduce((own, logit, c) => own + expected[i]![c]! * (whole - logit), 0);
    }, 0) / rows.length;
  const dlogits = map(softmax(logits), (p, i) => (p - targets.data[i]!) / rows.length);
  return { loss: { shape: [], data: Float64Array.of(loss) } satisfies Values, dlogits };
}

// -- optimiser updates ------------------------------------------------------------------------------------------------

/** PyTorch's SGD on one element; `slot` is undefined without momentum. */
export function sgdStep(weight: number, gradient: number, slot: number | undefined, settings: SgdSettings) {
  const g = gradient + settings.weightDecay * weight;
  if (slot === undefined) return { weight: weight - settings.learningRate * g, slot };
  const velocity = settings.momentum * slot + g;
  const direction = settings.nesterov ? g + settings.momentum * velocity : velocity;
  return { weight: weight - settings.learningRate * direction, slot: velocity };
}

/** PyTorch's Adam or AdamW on one element, as its documentation writes it, with corrected moments. */
export function adamStep(
  weight: number,
  gradient: number,
  first: number,
  second: number,
  settings: AdamSettings,
  step: number,
) {
  const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = settings;
  const decayed = decoupled ? weight - learningRate * weightDecay * weight : weight;
  const g = decoupled ? gradient : gradient + weightDecay * weight;
  const m = beta1 * first + (1 - beta1) * g;
  const v = beta2 * second + (1 - beta2) * g * g;
  const correctedM = m / (1 - beta1 ** step);
  const correctedV = v / (1 - beta2 ** step);
  return { weight: decayed - (learningRate * correctedM) / (Math.sqrt(correctedV) + epsilon), first: m, second: v };
}

/** A weight and its slots under PyTorch's RMSprop; what the form has no slot for is undefined. */
export interface RmspropState {
  readonly weight: number;
  readonly meanSquare: number;
  readonly meanGradient: number | undefined;
  readonly velocity: number | undefined;
}

/** PyTorch's RMSprop on one element, as its documentation writes it. */
export function rmspropStep(state: RmspropState, gradient: number, settings: RmspropSettings): RmspropState {
  const { learningRate, alpha, epsilon, momentum, weightDecay } = settings;
  const g = gradient + weightDecay * state.weight;
  const meanSquare = alpha * state.meanSquare + (1 - alpha) * g ** 2;
  const meanGradient = state.meanGradient === undefined ? undefined : alpha * state.meanGradient + (1 - alpha) * g;
  const scaled = g / (Math.sqrt(meanSquare - (meanGradient ?? 0) ** 2) + epsilon);
  const velocity = state.velocity === undefined ? undefined : momentum * state.velocity + scaled;
  return { weight: state.weight - learningRate * (velocity ?? scaled), meanSquare, meanGradient, velocity };
}

// -- whole gradients --------------------------------------------------------------------------------------------------

export function scale(x: Values, factor: number): Values {
  return map(x, (value) => value * factor);
}

export function clamp(x: Values, limit: number): Values {
  return map(x, (value) => (Math.abs(value) <= limit ? value : Math.sign(value) * limit));
}

export function sumOfSquares(x: Values): Values {
  return { shape: [], data: Float64Array.of(x.data.reduce((sum, value) => sum + value ** 2, 0)) };
}
