/** Batch and group normalisation on the GPU, in two passes: the mean first, then the centred squares. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { imageShape } from "../plain/shapes.ts";
import type { Gpu } from "./gpu.ts";

export interface NormalisationGradients {
  readonly dx: TensorInfo;
  readonly dscale: TensorInfo;
  readonly dshift: TensorInfo;
}

/** Mean and biased variance of each channel of x [..., c]. */
export function channelMoments(gpu: Gpu, x: TensorInfo, channels: number) {
  const rows = elements(x) / channels;
  const ints = { channels };
  const mean = gpu.programs.sum([channels], {
    inputs: { x },
    ints,
    terms: rows,
    term: "return x[k * channels + i];",
    result: "sum / f32(uniforms.terms)",
  });
  const variance = gpu.programs.sum([channels], {
    inputs: { x, mean },
    ints,
    terms: rows,
    term: "let centred = x[k * channels + i] - mean[i]; return centred * centred;",
    result: "sum / f32(uniforms.terms)",
  });
  return { mean, variance, count: rows };
}

export function inverseStd(gpu: Gpu, variance: TensorInfo, epsilon: number): TensorInfo {
  return gpu.programs.map(variance.shape, {
    inputs: { variance },
    floats: { epsilon },
    value: "return 1.0 / sqrt(variance[i] + epsilon);",
  });
}

/** (x - mean) inverse scale + shift, per channel. */
export function normaliseChannels(
  gpu: Gpu,
  x: TensorInfo,
  parameters: Readonly<Record<"mean" | "inverse" | "scale" | "shift", TensorInfo>>,
): TensorInfo {
  return gpu.programs.map(x.shape, {
    inputs: { x, ...parameters },
    ints: { channels: elements(parameters.scale) },
    value: "let c = i % channels; return (x[i] - mean[c]) * inverse[c] * scale[c] + shift[c];",
  });
}

/** (1 - momentum) running + momentum factor batch. */
export function moved(gpu: Gpu, running: TensorInfo, batch: TensorInfo, momentum: number, factor: number): TensorInfo {
  return gpu.programs.map(running.shape, {
    inputs: { running, batch },
    floats: { momentum, factor },
    value: "return (1.0 - momentum) * running[i] + momentum * (factor * batch[i]);",
  });
}

export function batchNormGradient(
  gpu: Gpu,
  dy: TensorInfo,
  x: TensorInfo,
  scale: TensorInfo,
  statistics: Readonly<Record<"mean" | "inverse", TensorInfo>>,
): NormalisationGradients {
  const channels = elements(scale);
  const rows = elements(x) / channels;
  const ints = { channels };
  const dshift = gpu.programs.sum([channels], {
    inputs: { dy },
    ints,
    terms: rows,
    term: "return dy[k * channels + i];",
  });
  const dscale = gpu.programs.sum([channels], {
    inputs: { dy, x, ...statistics },
    ints,
    terms: rows,
    term: "let at = k * channels + i; return dy[at] * ((x[at] - mean[i]) * inverse[i]);",
  });
  const dx = gpu.programs.map(x.shape, {
    inputs: { dy, x, scale, dshift, dscale, ...statistics },
    ints: { channels, rows },
    value: `
      let c = i % channels; let xhat = (x[i] - mean[c]) * inverse[c]; let count = f32(rows);
      return scale[c] * inverse[c] * (dy[i] - dshift[c] / count - xhat * (dscale[c] / count));`,
  });
  return { dx, dscale, dshift };
}

/** Where element k of set i is: set (image, group) is at image * groups + group. */
const AT = "let at = (i / groups * pixels + k / width) * channels + i % groups * width + k % width;";
/** The set that element i of the tensor belongs to. */
const SET = "let own = i / (pixels * channels) * groups + i % channels / width;";

export function groupStatistics(gpu: Gpu, x: TensorInfo, groups: number, epsilon: number) {
  const ints = groupInts(x, groups);
  const shape = [ints.n * groups];
  const terms = ints.pixels * ints.width;
  const result = "sum / f32(uniforms.terms)";
  const mean = gpu.programs.sum(shape, { inputs: { x }, ints, terms, term: `${AT} return x[at];`, result });
  const variance = gpu.programs.sum(shape, {
    inputs: { x, mean },
    ints,
    terms,
    term: `${AT} let centred = x[at] - mean[i]; return centred * centred;`,
    result,
  });
  const inverse = inverseStd(gpu, variance, epsilon);
  gpu.memory.drop(variance);
  return { mean, inverse };
}

export function normaliseGroups(
  gpu: Gpu,
  x: TensorInfo,
  groups: number,
  parameters: Readonly<Record<"mean" | "inverse" | "scale" | "shift", TensorInfo>>,
): TensorInfo {
  return gpu.programs.map(x.shape, {
    inputs: { x, ...parameters },
    ints: groupInts(x, groups),
    value: `${SET} let c = i % channels; return (x[i] - mean[own]) * inverse[own] * scale[c] + shift[c];`,
  });
}

export function groupNormGradient(
  gpu: Gpu,
  dy: TensorInfo,
  x: TensorInfo,
  scale: TensorInfo,
  statistics: Readonly<Record<"mean" | "inverse", TensorInfo>>,
): NormalisationGradients {
  const [n] = imageShape("groupNorm", x.shape);
  const groups = elements(statistics.mean) / n;
  const ints = groupInts(x, groups);
  const { channels, pixels, width } = ints;
  const perChannel = { ints, terms: n * pixels };
  const dshift = gpu.programs.sum([channels], {
    ...perChannel,
    inputs: { dy },
    term: "return dy[k * channels + i];",
  });
  const dscale = gpu.programs.sum([channels], {
    ...perChannel,
    inputs: { dy, x, ...statistics },
    term: `
      let at = k * channels + i; let own = k / pixels * groups + i / width;
      return dy[at] * ((x[at] - mean[own]) * inverse[own]);`,
  });
  const perSet = { ints, terms: pixels * width, result: "sum / f32(uniforms.terms)" };
  const meanDy = gpu.programs.sum([n * groups], {
    ...perSet,
    inputs: { dy, scale },
    term: `${AT} return dy[at] * scale[at % channels];`,
  });
  const meanDyXhat = gpu.programs.sum([n * groups], {
    ...perSet,
    inputs: { dy, x, scale, ...statistics },
    term: `${AT} return dy[at] * scale[at % channels] * ((x[at] - mean[i]) * inverse[i]);`,
  });
  const dx = gpu.programs.map(x.shape, {
    inputs: { dy, x, scale, meanDy, meanDyXhat, ...statistics },
    ints,
    value: `
      ${SET} let xhat = (x[i] - mean[own]) * inverse[own];
      return inverse[own] * (dy[i] * scale[i % channels] - meanDy[own] - xhat * meanDyXhat[own]);`,
  });
  gpu.memory.drop(meanDy, meanDyXhat);
  return { dx, dscale, dshift };
}

function groupInts(x: TensorInfo, groups: number) {
  const [n, h, w, channels] = imageShape("groupNorm", x.shape);
  if (channels % groups !== 0)
    throw new RangeError(`groupNorm: ${groups} groups do not divide the channels of [${x.shape}]`);
  return { n, pixels: h * w, channels, groups, width: channels / groups };
}

function elements({ shape }: TensorInfo): number {
  return shape.reduce((a, b) => a * b, 1);
}
