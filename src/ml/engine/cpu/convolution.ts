/**
 * Convolution as matrix products over unrolled patches (im2col), group by group. Rows of patches are output positions
 * (n, oy, ox) in order and columns (ky, kx, channel in group), the order of an HWIO filter. Rows are taken in chunks
 * that fit the cache and the memory whatever the map's size.
 */
import type { ConvGeometry, Shape } from "../engine.ts";
import { addProductTransposed, transpose } from "./matrix.ts";

const CHUNK_ELEMENTS = 1 << 19;

/** Cells along one dimension: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, as PyTorch counts. */
export function outputSize(
  size: number,
  kernel: number,
  { stride, padding, dilation }: Omit<ConvGeometry, "groups">,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** The shape of `conv2d`'s result. Throws a RangeError where filter and input do not fit together. */
export function convolutionShape(
  x: Shape,
  filter: Shape,
  geometry: ConvGeometry,
): readonly [number, number, number, number] {
  const [n, h, w, cin] = x as [number, number, number, number];
  const [kh, kw, cinGroup, cout] = filter as [number, number, number, number];
  const oh = outputSize(h, kh, geometry);
  const ow = outputSize(w, kw, geometry);
  if (x.length !== 4 || filter.length !== 4 || cinGroup * geometry.groups !== cin || cout % geometry.groups !== 0)
    throw new RangeError(`conv2d: filter [${filter}] in ${geometry.groups} groups does not fit input [${x}]`);
  if (oh < 1 || ow < 1) throw new RangeError(`conv2d: filter [${filter}] is larger than the padded input [${x}]`);
  return [n, oh, ow, cout];
}

export function conv2d(
  x: Float64Array,
  xShape: Shape,
  filter: Float64Array,
  filterShape: Shape,
  geometry: ConvGeometry,
): Float64Array {
  const plan = planPatches(xShape, filterShape, geometry);
  const { rows, depth, cout, coutGroup } = plan;
  const y = new Float64Array(rows * cout);
  for (let group = 0; group < geometry.groups; group++) {
    const filterT = transpose(groupFilter(filter, plan, group), depth, coutGroup);
    forEachChunk(plan, (from, to) => {
      const part = new Float64Array((to - from) * coutGroup);
      addProductTransposed(gatherPatches(x, plan, group, from, to), filterT, part, to - from, coutGroup, depth);
      scatterColumns(part, y, from, to - from, cout, group * coutGroup, coutGroup);
    });
  }
  return y;
}

export function conv2dGradient(
  dy: Float64Array,
  x: Float64Array,
  xShape: Shape,
  filter: Float64Array,
  filterShape: Shape,
  geometry: ConvGeometry,
  wantInput: boolean,
): { readonly dx: Float64Array | undefined; readonly dfilter: Float64Array } {
  const plan = planPatches(xShape, filterShape, geometry);
  const { depth, cout, coutGroup } = plan;
  const dx = wantInput ? new Float64Array(x.length) : undefined;
  const dfilter = new Float64Array(filter.length);
  for (let group = 0; group < geometry.groups; group++) {
    const weights = groupFilter(filter, plan, group);
    const dweights = new Float64Array(depth * coutGroup);
    forEachChunk(plan, (from, to) => {
      const count = to - from;
      const dyPart = gatherColumns(dy, from, count, cout, group * coutGroup, coutGroup);
      const patchesT = transpose(gatherPatches(x, plan, group, from, to), count, depth);
      addProductTransposed(patchesT, transpose(dyPart, count, coutGroup), dweights, depth, coutGroup, count);
      if (dx !== undefined) {
        const dpatches = new Float64Array(count * depth);
        addProductTransposed(dyPart, weights, dpatches, count, depth, coutGroup);
        addPatches(dpatches, dx, plan, group, from, to);
      }
    });
    scatterColumns(dweights, dfilter, 0, depth, cout, group * coutGroup, coutGroup);
  }
  return { dx, dfilter };
}

interface PatchPlan {
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
}

function planPatches(xShape: Shape, filterShape: Shape, geometry: ConvGeometry): PatchPlan {
  const [n, oh, ow, cout] = convolutionShape(xShape, filterShape, geometry);
  const [, h, w, cin] = xShape as [number, number, number, number];
  const [kh, kw, cinGroup] = filterShape as [number, number, number, number];
  const coutGroup = cout / geometry.groups;
  return {
    geometry,
    h,
    w,
    cin,
    oh,
    ow,
    kh,
    kw,
    cinGroup,
    cout,
    coutGroup,
    rows: n * oh * ow,
    depth: kh * kw * cinGroup,
  };
}

function forEachChunk({ rows, depth }: PatchPlan, visit: (from: number, to: number) => void): void {
  const size = Math.max(64, Math.floor(CHUNK_ELEMENTS / depth));
  for (let from = 0; from < rows; from += size) visit(from, Math.min(rows, from + size));
}

/** Calls `visit` with (index of the patch's run of channels, index of the input's) for every tap that is inside. */
function forEachTap(
  plan: PatchPlan,
  group: number,
  from: number,
  to: number,
  visit: (patch: number, input: number) => void,
): void {
  const { h, w, cin, oh, ow, kh, kw, cinGroup, depth } = plan;
  const { stride, padding, dilation } = plan.geometry;
  for (let row = from; row < to; row++) {
    const ox = row % ow;
    const oy = Math.floor(row / ow) % oh;
    const image = Math.floor(row / (ow * oh));
    for (let ky = 0; ky < kh; ky++) {
      const iy = oy * stride - padding + ky * dilation;
      if (iy < 0 || iy >= h) continue;
      for (let kx = 0; kx < kw; kx++) {
        const ix = ox * stride - padding + kx * dilation;
        if (ix < 0 || ix >= w) continue;
        visit((row - from) * depth + (ky * kw + kx) * cinGroup, ((image * h + iy) * w + ix) * cin + group * cinGroup);
      }
    }
  }
}

function gatherPatches(x: Float64Array, plan: PatchPlan, group: number, from: number, to: number): Float64Array {
  const patches = new Float64Array((to - from) * plan.depth);
  const { cinGroup } = plan;
  forEachTap(plan, group, from, to, (patch, input) => {
    for (let c = 0; c < cinGroup; c++) patches[patch + c] = x[input + c]!;
  });
  return patches;
}

function addPatches(
  patches: Float64Array,
  dx: Float64Array,
  plan: PatchPlan,
  group: number,
  from: number,
  to: number,
): void {
  const { cinGroup } = plan;
  forEachTap(plan, group, from, to, (patch, input) => {
    for (let c = 0; c < cinGroup; c++) dx[input + c] = dx[input + c]! + patches[patch + c]!;
  });
}

function groupFilter(filter: Float64Array, { depth, cout, coutGroup }: PatchPlan, group: number): Float64Array {
  return gatherColumns(filter, 0, depth, cout, group * coutGroup, coutGroup);
}

/** Columns [first, first + count) of `rows` rows of a matrix that is `width` wide; the matrix itself where that is all of it. */
function gatherColumns(
  a: Float64Array,
  fromRow: number,
  rows: number,
  width: number,
  first: number,
  count: number,
): Float64Array {
  if (count === width) return a.subarray(fromRow * width, (fromRow + rows) * width);
  const out = new Float64Array(rows * count);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < count; c++) out[r * count + c] = a[(fromRow + r) * width + first + c]!;
  return out;
}

function scatterColumns(
  part: Float64Array,
  out: Float64Array,
  fromRow: number,
  rows: number,
  width: number,
  first: number,
  count: number,
): void {
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < count; c++) out[(fromRow + r) * width + first + c] = part[r * count + c]!;
}
