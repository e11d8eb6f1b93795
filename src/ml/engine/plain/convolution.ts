/** Convolution and both its gradients as products of patch matrices, group by group. */
import type { ConvGeometry, Shape } from "../engine.ts";
import { type Multiply, transpose } from "./matrix.ts";
import { addPatches, forEachChunk, gatherColumns, gatherPatches, planPatches, scatterColumns } from "./patches.ts";
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

/** dfilter' = dy' patches, summed over chunks; dpatches = dy filter', added back to the pixels they came from. */
export function conv2dGradient(
  dy: Reals,
  { x, xShape, filter, filterShape, geometry }: ConvolutionInputs,
  wantInput: boolean,
  multiply: Multiply,
): { readonly dx: Reals | undefined; readonly dfilter: Reals } {
  const plan = planPatches(xShape, filterShape, geometry);
  const { depth, cout, coutGroup } = plan;
  const dx = wantInput ? zerosLike(x, x.length) : undefined;
  const dfilter = zerosLike(x, filter.length);
  for (let group = 0; group < geometry.groups; group++) {
    const first = group * coutGroup;
    const weightsT = transpose(gatherColumns(filter, cout, 0, depth, first, coutGroup), depth, coutGroup);
    const dweightsT = new Float64Array(coutGroup * depth);
    forEachChunk(plan, (from, count) => {
      const dyPart = gatherColumns(dy, cout, from, count, first, coutGroup);
      const patches = gatherPatches(x, plan, group, from, count);
      const part = multiply(transpose(dyPart, count, coutGroup), patches, coutGroup, depth, count);
      for (let i = 0; i < part.length; i++) dweightsT[i] = dweightsT[i]! + part[i]!;
      if (dx !== undefined)
        addPatches(multiply(dyPart, weightsT, count, depth, coutGroup), dx, plan, group, from, count);
    });
    scatterColumns(transpose(dweightsT, coutGroup, depth), dfilter, cout, 0, depth, first, coutGroup);
  }
  return { dx, dfilter };
}
