/** The shapes that ops return and the checks that arguments fit together, shared by the engines written in TypeScript. */
import type { ConvGeometry, PoolGeometry, Shape } from "../engine.ts";

export type ImageShape = readonly [n: number, h: number, w: number, c: number];

/** Cells along one dimension: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, as PyTorch counts. */
export function outputSize(
  size: number,
  kernel: number,
  { stride, padding, dilation }: Omit<ConvGeometry, "groups">,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** The shape of `conv2d`'s result. Throws a RangeError where filter and input do not fit together. */
export function convolutionShape(x: Shape, filter: Shape, geometry: ConvGeometry): ImageShape {
  const [n, h, w, cin] = imageShape("conv2d", x);
  const [kh, kw, cinGroup, cout] = imageShape("conv2d's filter", filter);
  if (cinGroup * geometry.groups !== cin || cout % geometry.groups !== 0)
    throw new RangeError(`conv2d: filter [${filter}] in ${geometry.groups} groups does not fit input [${x}]`);
  const oh = outputSize(h, kh, geometry);
  const ow = outputSize(w, kw, geometry);
  if (oh < 1 || ow < 1) throw new RangeError(`conv2d: filter [${filter}] is larger than the padded input [${x}]`);
  return [n, oh, ow, cout];
}

/** The shape of `maxPool`'s result. Throws a RangeError for a window that could hold nothing but padding. */
export function maxPoolShape(x: Shape, { size, stride, padding }: PoolGeometry): ImageShape {
  const [n, h, w, c] = imageShape("maxPool", x);
  const oh = outputSize(h, size, { stride, padding, dilation: 1 });
  const ow = outputSize(w, size, { stride, padding, dilation: 1 });
  if (2 * padding > size)
    throw new RangeError(`maxPool: padding ${padding} is more than half the window's size ${size}`);
  if (oh < 1 || ow < 1) throw new RangeError(`maxPool: a window of ${size} is larger than the padded input [${x}]`);
  return [n, oh, ow, c];
}

export function imageShape(op: string, shape: Shape): ImageShape {
  const [n, h, w, c] = shape;
  if (n === undefined || h === undefined || w === undefined || c === undefined || shape.length !== 4)
    throw new RangeError(`${op}: four dimensions were expected, not [${shape}]`);
  return [n, h, w, c];
}

export function elementsOf(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

export function checkSameShape(op: string, a: Shape, b: Shape): void {
  if (a.length !== b.length || a.some((size, i) => size !== b[i]))
    throw new RangeError(`${op}: shapes [${a}] and [${b}] do not agree`);
}

/** The channels of x [..., c], which a parameter [c] must match. */
export function checkChannels(op: string, x: Shape, parameter: Shape): number {
  const channels = x.at(-1) ?? 0;
  checkSameShape(op, parameter, [channels]);
  return channels;
}
