/**
 * Batch normalisation (Ioffe & Szegedy 2015) and group normalisation (Wu & He 2018), forward and gradient, in two
 * passes: the mean first, then the centred squares, so that a large mean costs no accuracy.
 */
import type { Shape } from "../engine.ts";
import { imageShape } from "./shapes.ts";
import { type Reals, zerosLike } from "./storage.ts";

/** Statistics of one normalisation: a mean and 1 / sqrt(variance + epsilon) for each set normalised together. */
export interface Statistics {
  readonly mean: Float64Array;
  readonly inverseStd: Float64Array;
}

/** Mean and biased variance of each channel of x [..., c]. */
export function channelMoments(
  x: Reals,
  channels: number,
): { readonly mean: Float64Array; readonly variance: Float64Array } {
  const count = x.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let i = 0; i < x.length; i += channels) for (let c = 0; c < channels; c++) mean[c] = mean[c]! + x[i + c]!;
  for (let c = 0; c < channels; c++) mean[c] = mean[c]! / count;
  for (let i = 0; i < x.length; i += channels)
    for (let c = 0; c < channels; c++) {
      const centred = x[i + c]! - mean[c]!;
      variance[c] = variance[c]! + centred * centred;
    }
  for (let c = 0; c < channels; c++) variance[c] = variance[c]! / count;
  return { mean, variance };
}

export function inverseStandardDeviation(variance: Reals, epsilon: number): Float64Array {
  return Float64Array.from(variance, (v) => 1 / Math.sqrt(v + epsilon));
}

/** (x - mean) inverseStd scale + shift per channel of x [..., c]. */
export function normaliseChannels(x: Reals, mean: Reals, inverseStd: Reals, scale: Reals, shift: Reals): Reals {
  const channels = scale.length;
  const y = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i += channels)
    for (let c = 0; c < channels; c++) y[i + c] = (x[i + c]! - mean[c]!) * inverseStd[c]! * scale[c]! + shift[c]!;
  return y;
}

/** running = (1 - momentum) running + momentum batch; the variance unbiased (of a single value: as it is, zero). */
export function moveRunningStatistics(
  running: { readonly mean: Reals; readonly variance: Reals },
  batch: { readonly mean: Float64Array; readonly variance: Float64Array },
  count: number,
  momentum: number,
): void {
  const unbias = count / Math.max(1, count - 1);
  for (let c = 0; c < batch.mean.length; c++) {
    running.mean[c] = (1 - momentum) * running.mean[c]! + momentum * batch.mean[c]!;
    running.variance[c] = (1 - momentum) * running.variance[c]! + momentum * unbias * batch.variance[c]!;
  }
}

export interface NormalisationGradient {
  readonly dx: Reals;
  readonly dscale: Float64Array;
  readonly dshift: Float64Array;
}

/** With xhat = (x - mean) inverseStd: dx = scale inverseStd (dy - mean(dy) - xhat mean(dy xhat)). */
export function batchNormGradient(
  dy: Reals,
  x: Reals,
  scale: Reals,
  { mean, inverseStd }: Statistics,
): NormalisationGradient {
  const channels = scale.length;
  const count = x.length / channels;
  const dscale = new Float64Array(channels);
  const dshift = new Float64Array(channels);
  for (let i = 0; i < x.length; i += channels)
    for (let c = 0; c < channels; c++) {
      dshift[c] = dshift[c]! + dy[i + c]!;
      dscale[c] = dscale[c]! + dy[i + c]! * (x[i + c]! - mean[c]!) * inverseStd[c]!;
    }
  const dx = zerosLike(x, x.length);
  for (let i = 0; i < x.length; i += channels)
    for (let c = 0; c < channels; c++) {
      const xhat = (x[i + c]! - mean[c]!) * inverseStd[c]!;
      dx[i + c] = scale[c]! * inverseStd[c]! * (dy[i + c]! - dshift[c]! / count - (xhat * dscale[c]!) / count);
    }
  return { dx, dscale, dshift };
}

/** Statistics over h, w and the channels of each group of x [n, h, w, c]; set (image, group) is at image * groups + group. */
export function groupStatistics(x: Reals, shape: Shape, groups: number, epsilon: number): Statistics {
  const { sets, setOf } = groupSets(shape, groups);
  const count = x.length / sets;
  const mean = new Float64Array(sets);
  const variance = new Float64Array(sets);
  for (let i = 0; i < x.length; i++) mean[setOf(i)] = mean[setOf(i)]! + x[i]!;
  for (let s = 0; s < sets; s++) mean[s] = mean[s]! / count;
  for (let i = 0; i < x.length; i++) {
    const s = setOf(i);
    const centred = x[i]! - mean[s]!;
    variance[s] = variance[s]! + centred * centred;
  }
  return { mean, inverseStd: Float64Array.from(variance, (v) => 1 / Math.sqrt(v / count + epsilon)) };
}

export function normaliseGroups(
  x: Reals,
  shape: Shape,
  groups: number,
  { mean, inverseStd }: Statistics,
  scale: Reals,
  shift: Reals,
): Reals {
  const { setOf } = groupSets(shape, groups);
  const channels = scale.length;
  return x.map((value, i) => {
    const s = setOf(i);
    return (value - mean[s]!) * inverseStd[s]! * scale[i % channels]! + shift[i % channels]!;
  });
}

export function groupNormGradient(
  dy: Reals,
  x: Reals,
  shape: Shape,
  groups: number,
  scale: Reals,
  { mean, inverseStd }: Statistics,
): NormalisationGradient {
  const { sets, setOf } = groupSets(shape, groups);
  const channels = scale.length;
  const count = x.length / sets;
  const dscale = new Float64Array(channels);
  const dshift = new Float64Array(channels);
  const sum = new Float64Array(sets);
  const sumXhat = new Float64Array(sets);
  for (let i = 0; i < x.length; i++) {
    const s = setOf(i);
    const c = i % channels;
    const xhat = (x[i]! - mean[s]!) * inverseStd[s]!;
    dshift[c] = dshift[c]! + dy[i]!;
    dscale[c] = dscale[c]! + dy[i]! * xhat;
    sum[s] = sum[s]! + dy[i]! * scale[c]!;
    sumXhat[s] = sumXhat[s]! + dy[i]! * scale[c]! * xhat;
  }
  const dx = x.map((value, i) => {
    const s = setOf(i);
    const xhat = (value - mean[s]!) * inverseStd[s]!;
    return inverseStd[s]! * (dy[i]! * scale[i % channels]! - sum[s]! / count - (xhat * sumXhat[s]!) / count);
  });
  return { dx, dscale, dshift };
}

function groupSets(shape: Shape, groups: number): { readonly sets: number; readonly setOf: (index: number) => number } {
  const [n, h, w, channels] = imageShape("groupNorm", shape);
  if (channels % groups !== 0)
    throw new RangeError(`groupNorm: ${groups} groups do not divide the channels of [${shape}]`);
  const image = h * w * channels;
  const width = channels / groups;
  return {
    sets: n * groups,
    setOf: (index) => Math.floor(index / image) * groups + Math.floor((index % channels) / width),
  };
}
