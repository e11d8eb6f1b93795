/** Max pooling and adaptive average pooling on NHWC, forward and gradient, as PyTorch defines them. */
import type { PoolGeometry, Shape } from "../engine.ts";
import { elementsOf, imageShape, maxPoolShape } from "./shapes.ts";
import { type Reals, zerosLike } from "./storage.ts";

/** For every output element the input index of its window's first maximum in row-major order (a NaN counts as the maximum). */
function maxPoolIndices(x: Reals, shape: Shape, geometry: PoolGeometry): Int32Array {
  const [n, oh, ow, c] = maxPoolShape(shape, geometry);
  const [, h, w] = imageShape("maxPool", shape);
  const { size, stride, padding } = geometry;
  const indices = new Int32Array(n * oh * ow * c);
  let o = 0;
  for (let image = 0; image < n; image++)
    for (let oy = 0; oy < oh; oy++) {
      const y0 = Math.max(0, oy * stride - padding);
      const y1 = Math.min(h, oy * stride - padding + size);
      for (let ox = 0; ox < ow; ox++) {
        const x0 = Math.max(0, ox * stride - padding);
        const x1 = Math.min(w, ox * stride - padding + size);
        for (let channel = 0; channel < c; channel++, o++) {
          let best = ((image * h + y0) * w + x0) * c + channel;
          for (let iy = y0; iy < y1; iy++)
            for (let ix = x0; ix < x1; ix++) {
              const at = ((image * h + iy) * w + ix) * c + channel;
              const value = x[at]!;
              if (value > x[best]! || (Number.isNaN(value) && !Number.isNaN(x[best]!))) best = at;
            }
          indices[o] = best;
        }
      }
    }
  return indices;
}

export function maxPool(x: Reals, shape: Shape, geometry: PoolGeometry): Reals {
  const indices = maxPoolIndices(x, shape, geometry);
  const y = zerosLike(x, indices.length);
  for (let i = 0; i < y.length; i++) y[i] = x[indices[i]!]!;
  return y;
}

export function maxPoolGradient(dy: Reals, x: Reals, shape: Shape, geometry: PoolGeometry): Reals {
  const indices = maxPoolIndices(x, shape, geometry);
  const dx = zerosLike(dy, elementsOf(shape));
  for (let i = 0; i < dy.length; i++) dx[indices[i]!] = dx[indices[i]!]! + dy[i]!;
  return dx;
}

export function adaptiveAveragePool(x: Reals, shape: Shape, size: number): Reals {
  const [n, h, w, c] = imageShape("adaptiveAveragePool", shape);
  const y = zerosLike(x, n * size * size * c);
  forEachCell(n, h, w, size, (cell, pixel, area) => {
    for (let k = 0; k < c; k++) y[cell * c + k] = y[cell * c + k]! + x[pixel * c + k]! / area;
  });
  return y;
}

export function adaptiveAveragePoolGradient(dy: Reals, size: number, shape: Shape): Reals {
  const [n, h, w, c] = imageShape("adaptiveAveragePool", shape);
  const dx = zerosLike(dy, n * h * w * c);
  forEachCell(n, h, w, size, (cell, pixel, area) => {
    for (let k = 0; k < c; k++) dx[pixel * c + k] = dx[pixel * c + k]! + dy[cell * c + k]! / area;
  });
  return dx;
}

/** Calls `visit` with every (output cell, input pixel inside it, pixels in the cell). Cells may overlap. */
function forEachCell(
  n: number,
  h: number,
  w: number,
  size: number,
  visit: (cell: number, pixel: number, area: number) => void,
): void {
  for (let image = 0; image < n; image++)
    for (let i = 0; i < size; i++) {
      const y0 = Math.floor((i * h) / size);
      const y1 = Math.ceil(((i + 1) * h) / size);
      for (let j = 0; j < size; j++) {
        const x0 = Math.floor((j * w) / size);
        const x1 = Math.ceil(((j + 1) * w) / size);
        for (let iy = y0; iy < y1; iy++)
          for (let ix = x0; ix < x1; ix++)
            visit((image * size + i) * size + j, (image * h + iy) * w + ix, (y1 - y0) * (x1 - x0));
      }
    }
}
