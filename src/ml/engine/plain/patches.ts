/**
 * A convolution's input unrolled into patches (im2col), which turns it and its gradients into matrix products. One row
 * per output position (n, oy, ox), one column per (ky, kx, channel in group): the order of an HWIO filter. Rows are
 * taken in chunks, so that memory stays bounded whatever the map's size.
 */
import type { ConvGeometry, Shape } from "../engine.ts";
import { convolutionShape, imageShape } from "./shapes.ts";
import { type Reals, zerosLike } from "./storage.ts";

const CHUNK_ELEMENTS = 1 << 20;
/** From so many on, channels are copied at once: fewer are quicker one by one. */
const COPIED_CHANNELS = 48;

export interface PatchPlan {
  readonly geometry: ConvGeometry;
  readonly h: number;
  readonly w: number;
  readonly cin: number;
  readonly oh: number;
  readonly ow: number;
  readonly kh: number;
  readonly kw: number;
  readonly cinGroup: number;
  readonly cout: number;
  readonly coutGroup: number;
  /** n oh ow */
  readonly rows: number;
  /** kh kw cinGroup */
  readonly depth: number;
  /** Every patch is one pixel and every pixel one patch: the unrolled input is the input. */
  readonly isInput: boolean;
}

export function planPatches(x: Shape, filter: Shape, geometry: ConvGeometry): PatchPlan {
  const [n, oh, ow, cout] = convolutionShape(x, filter, geometry);
  const [, h, w, cin] = imageShape("conv2d", x);
  const [kh, kw, cinGroup] = imageShape("conv2d's filter", filter);
  const { stride, padding, groups } = geometry;
  const depth = kh * kw * cinGroup;
  const isInput = kh === 1 && kw === 1 && stride === 1 && padding === 0 && groups === 1;
  const coutGroup = cout / groups;
  return { geometry, h, w, cin, oh, ow, kh, kw, cinGroup, cout, coutGroup, rows: n * oh * ow, depth, isInput };
}

export function forEachChunk({ rows, depth }: PatchPlan, visit: (from: number, count: number) => void): void {
  const size = Math.max(64, Math.floor(CHUNK_ELEMENTS / depth));
  for (let from = 0; from < rows; from += size) visit(from, Math.min(size, rows - from));
}

/** Rows [from, from + count) of the patches of one group: [count, depth]. */
export function gatherPatches(x: Reals, plan: PatchPlan, group: number, from: number, count: number): Reals {
  const { cinGroup, depth } = plan;
  if (plan.isInput) return x.subarray(from * depth, (from + count) * depth);
  const patches = zerosLike(x, count * depth);
  forEachTap(plan, group, from, count, (patch, input) => {
    if (cinGroup >= COPIED_CHANNELS) patches.set(x.subarray(input, input + cinGroup), patch);
    else for (let c = 0; c < cinGroup; c++) patches[patch + c] = x[input + c]!;
  });
  return patches;
}

/** Adds patches [count, depth] to the pixels of dx that they were gathered from. */
export function addPatches(
  patches: Reals,
  dx: Reals,
  plan: PatchPlan,
  group: number,
  from: number,
  count: number,
): void {
  const { cinGroup } = plan;
  forEachTap(plan, group, from, count, (patch, input) => {
    for (let c = 0; c < cinGroup; c++) dx[input + c] = dx[input + c]! + patches[patch + c]!;
  });
}

/** Columns [first, first + columns) of some rows of a matrix `width` wide; a view where that is all of it. */
export function gatherColumns(
  matrix: Reals,
  width: number,
  from: number,
  rows: number,
  first: number,
  columns: number,
): Reals {
  if (columns === width) return matrix.subarray(from * width, (from + rows) * width);
  const part = zerosLike(matrix, rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) part[r * columns + c] = matrix[(from + r) * width + first + c]!;
  return part;
}

/** The opposite of `gatherColumns`. */
export function scatterColumns(
  part: Reals,
  matrix: Reals,
  width: number,
  from: number,
  rows: number,
  first: number,
  columns: number,
): void {
  if (columns === width) {
    matrix.set(part, from * width);
    return;
  }
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) matrix[(from + r) * width + first + c] = part[r * columns + c]!;
}

/** Calls `visit` for every tap inside the image with the first indices of its channels in the patches and in the input. */
function forEachTap(
  plan: PatchPlan,
  group: number,
  from: number,
  count: number,
  visit: (patch: number, input: number) => void,
): void {
  const { h, w, cin, oh, ow, kh, kw, cinGroup, depth } = plan;
  const { stride, padding, dilation } = plan.geometry;
  for (let row = 0; row < count; row++) {
    const ox = (from + row) % ow;
    const oy = Math.floor((from + row) / ow) % oh;
    const image = Math.floor((from + row) / (ow * oh));
    for (let ky = 0; ky < kh; ky++) {
      const iy = oy * stride - padding + ky * dilation;
      if (iy < 0 || iy >= h) continue;
      for (let kx = 0; kx < kw; kx++) {
        const ix = ox * stride - padding + kx * dilation;
        if (ix < 0 || ix >= w) continue;
        visit(row * depth + (ky * kw + kx) * cinGroup, ((image * h + iy) * w + ix) * cin + group * cinGroup);
      }
    }
  }
}
