/** Convolution and both its gradients as products of patch matrices, group by group. */
import type { ConvGeometry, Shape } from "../engine.ts";
import { type Multiply, transpose } from "./matrix.ts";
import { addPatches, forEachChunk, gatherColumns, gatherPatches, planPatches, scatterColumns } from "./patches.ts";
import { convolutionShape } from "./shapes.ts";
import { type Reals, zerosLike } from "./storage.ts";

/** What a convolution reads: x [n, h, w, cin] and filter [kh, kw, cin/groups, cout]. */
export interface ConvolutionInputs {
  readonly x: Reals;
  readonly xShape: Shape;
  readonly filter: Reals;
  readonly filterShape: Shape;
  readonly geometry: ConvGeometry;
}

/** y [n, oh, ow, cout] = patches filter. */
export function conv2d({ x, xShape, filter, filterShape, geometry }: ConvolutionInputs, multiply: Multiply): Reals {
  const plan = planPatches(xShape, filterShape, geometry);
  const { depth, cout, coutGroup } = plan;
  const y = zerosLike(x, plan.rows * cout);
  for (let group = 0; group < geometry.groups; group++) {
    const first = group * coutGroup;
    const weights = gatherColumns(filter, cout, 0, depth, first, coutGroup);
    forEachChunk(plan, (from, count) => {
      const patches = gatherPatches(x, plan, group, from, count);
      scatterColumns(multiply(patches, weights, count, coutGroup, depth), y, cout, from, count, first, coutGroup);
    });
  }
  return y;
}

/** What gradients are made of. */
export interface ConvolutionParts {
  readonly multiply: Multiply;
  /** A forward convolution quicker than the one by patches; undefined where it cannot do this one. */
  readonly convolve?: (inputs: ConvolutionInputs) => Reals | undefined;
}

/**
 * dfilter = patches' dy, summed over chunks; dpatches = dy filter', added back to the pixels they came from, unless a
 * quick forward convolution of dy gives them.
 */
export function conv2dGradient(
  dy: Reals,
  inputs: ConvolutionInputs,
  wantInput: boolean,
  parts: ConvolutionParts,
): { readonly dx: Reals | undefined; readonly dfilter: Reals } {
  const { x, xShape, filter, filterShape, geometry } = inputs;
  const { multiply } = parts;
  const plan = planPatches(xShape, filterShape, geometry);
  const { depth, cout, coutGroup } = plan;
  const convolved = wantInput ? inputGradient(dy, inputs, parts) : undefined;
  const dx = convolved === undefined && wantInput ? zerosLike(x, x.length) : undefined;
  const dfilter = zerosLike(x, filter.length);
  for (let group = 0; group < geometry.groups; group++) {
    const first = group * coutGroup;
    const weights = gatherColumns(filter, cout, 0, depth, first, coutGroup);
    let dweights: Reals | undefined;
    forEachChunk(plan, (from, count) => {
      const dyPart = gatherColumns(dy, cout, from, count, first, coutGroup);
      const patches = gatherPatches(x, plan, group, from, count);
      dweights = sumOf(dweights, transposedProduct(patches, dyPart, count, depth, coutGroup, multiply));
      if (dx !== undefined)
        addPatches(productTransposed(dyPart, weights, count, depth, coutGroup, multiply), dx, plan, group, from, count);
    });
    if (dweights !== undefined) scatterColumns(dweights, dfilter, cout, 0, depth, first, coutGroup);
  }
  return { dx: convolved ?? dx, dfilter };
}

/** a [rows, depth] transposed, times b [rows, columns], by the fewest elements to transpose. */
function transposedProduct(
  a: Reals,
  b: Reals,
  rows: number,
  depth: number,
  columns: number,
  multiply: Multiply,
): Reals {
  if (rows * depth < (rows + depth) * columns) return multiply(transpose(a, rows, depth), b, depth, columns, rows);
  return transpose(multiply(transpose(b, rows, columns), a, columns, depth, rows), columns, depth);
}

/** a [rows, depth] times b [columns, depth] transposed, by the fewest elements to transpose. */
function productTransposed(
  a: Reals,
  b: Reals,
  rows: number,
  columns: number,
  depth: number,
  multiply: Multiply,
): Reals {
  if (columns * depth < (columns + depth) * rows)
    return multiply(a, transpose(b, columns, depth), rows, columns, depth);
  return transpose(multiply(b, transpose(a, rows, depth), columns, rows, depth), columns, rows);
}

/** Sums of chunks are kept in double; of the only one there is no copy. */
function sumOf(sum: Reals | undefined, part: Reals): Reals {
  if (sum === undefined) return part;
  const total = sum instanceof Float64Array ? sum : Float64Array.from(sum);
  for (let i = 0; i < part.length; i++) total[i] = total[i]! + part[i]!;
  return total;
}

/** With stride 1: dy convolved with the filter turned by half a turn, channels in and out exchanged. */
function inputGradient(
  dy: Reals,
  { xShape, filter, filterShape, geometry }: ConvolutionInputs,
  { convolve }: ConvolutionParts,
): Reals | undefined {
  const { stride, padding, dilation, groups } = geometry;
  const [kh, kw, cin, cout] = filterShape as readonly [number, number, number, number];
  const turned = dilation * (kh - 1) - padding;
  if (convolve === undefined || stride !== 1 || groups !== 1 || kh !== kw || turned < 0) return undefined;
  const dyShape = convolutionShape(xShape, filterShape, geometry);
  // Where there are few patches, products are quicker: they leave the larger filter as it is.
  if (dyShape[0] * dyShape[1] * dyShape[2] < cin) return undefined;
  const exchanged = zerosLike(filter, filter.length);
  for (let tap = 0; tap < kh * kw; tap++) {
    const part = filter.subarray(tap * cin * cout, (tap + 1) * cin * cout);
    exchanged.set(transpose(part, cin, cout), (kh * kw - 1 - tap) * cin * cout);
  }
  return convolve({
    x: dy,
    xShape: dyShape,
    filter: exchanged,
    filterShape: [kh, kw, cout, cin],
    geometry: { ...geometry, padding: turned },
  });
}
