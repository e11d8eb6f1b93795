/**
 * Group normalisation (Wu & He 2018, arXiv:1803.08494), which TensorFlow has no op for, out of reductions and broadcasts.
 *
 * Everything is reduced over the pixels first, to [n, c], and only those small tensors are mixed within groups; so an
 * image is read a few times, as [n, h w, c], and never transposed.
 */
import { FLOAT_T, type TensorflowOps } from "./tensorflow-ops.ts";

interface Input {
  readonly id: number;
  readonly shape: readonly number[];
}

/** `kept`, for the gradient: x minus its group's mean [n, h w, c], and 1 / standard deviation [n, 1, c]. */
export function groupNormForward(
  ops: TensorflowOps,
  x: Input,
  scale: number,
  shift: number,
  groups: number,
  epsilon: number,
): { y: number; kept: readonly number[] } {
  const { n, pixels, channels } = dimensions(x);
  const flat = ops.reshape(x.id, [n, pixels, channels]);
  const mean = groupMean(ops, ops.reduce("Mean", flat, [1], false), n, channels, groups);
  const centred = ops.subtract(flat, mean);
  ops.free(flat, mean);

  const squares = ops.one("Square", [FLOAT_T], centred);
  const variance = groupMean(ops, ops.freeing(ops.reduce("Mean", squares, [1], false), squares), n, channels, groups);
  const widened = ops.freeing(ops.add(variance, ops.scalar(epsilon)), variance);
  const inverse = ops.freeing(ops.one("Rsqrt", [FLOAT_T], widened), widened);

  const factor = ops.multiply(inverse, scale);
  const scaled = ops.freeing(ops.multiply(centred, factor), factor);
  const shifted = ops.freeing(ops.add(scaled, shift), scaled);
  return { y: ops.freeing(ops.reshape(shifted, x.shape), shifted), kept: [centred, inverse] };
}

/**
 * With xhat = centred inverse, g = dy scale and M the mean over a group's pixels and channels:
 * dx = inverse (g - M(g) - xhat M(g xhat)); dscale = sum of dy xhat; dshift = sum of dy.
 */
export function groupNormBackward(
  ops: TensorflowOps,
  dy: number,
  x: Input,
  scale: number,
  kept: readonly number[],
  groups: number,
): { dx: number; dscale: number; dshift: number } {
  const { n, pixels, channels } = dimensions(x);
  const [centred, inverse] = kept as [number, number];
  const flat = ops.reshape(dy, [n, pixels, channels]);
  const sums = ops.reduce("Sum", flat, [1], true);
  const products = ops.multiply(flat, centred);
  const crossSums = ops.freeing(ops.reduce("Sum", products, [1], true), products);
  const normalSums = ops.freeing(ops.multiply(crossSums, inverse), crossSums);
  const dshift = ops.reduce("Sum", sums, [0, 1], false);
  const dscale = ops.reduce("Sum", normalSums, [0, 1], false);

  const meanOf = (total: number): number => {
    const weighted = ops.freeing(ops.multiply(total, scale), total);
    const average = ops.freeing(ops.multiply(weighted, ops.scalar(1 / pixels)), weighted);
    return groupMean(ops, average, n, channels, groups);
  };
  const plain = meanOf(sums);
  const cross = meanOf(normalSums);

  const factor = ops.multiply(inverse, scale);
  const direct = ops.freeing(ops.multiply(flat, factor), factor);
  const slope = ops.freeing(ops.multiply(cross, inverse), cross);
  const slope2 = ops.freeing(ops.multiply(slope, inverse), slope);
  const along = ops.freeing(ops.multiply(centred, slope2), slope2);
  const bent = ops.subtract(direct, along);
  ops.free(flat, direct, along);
  const level = ops.freeing(ops.multiply(plain, inverse), plain);
  const moved = ops.subtract(bent, level);
  ops.free(bent, level);
  return { dx: ops.freeing(ops.reshape(moved, x.shape), moved), dscale, dshift };
}

/** Averages within groups: n c numbers -> [n, 1, c], every channel with its group's mean. Frees its argument. */
function groupMean(ops: TensorflowOps, perChannel: number, n: number, channels: number, groups: number): number {
  const grouped = ops.freeing(ops.reshape(perChannel, [n, groups, channels / groups]), perChannel);
  const mean = ops.freeing(ops.reduce("Mean", grouped, [2], true), grouped);
  const spread = ops.freeing(ops.broadcast(mean, [n, groups, channels / groups]), mean);
  return ops.freeing(ops.reshape(spread, [n, 1, channels]), spread);
}

function dimensions(x: Input): { n: number; pixels: number; channels: number } {
  const [n, height, width, channels] = x.shape as readonly [number, number, number, number];
  return { n, pixels: height * width, channels };
}
