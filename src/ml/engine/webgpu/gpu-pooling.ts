/** Max pooling and adaptive average pooling on the GPU, forward and gradient, as PyTorch defines them. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { PoolGeometry, Shape } from "../engine.ts";
import { imageShape, maxPoolShape } from "../plain/shapes.ts";
import type { Gpu } from "./gpu.ts";

/** Finds where in a window the first maximum is (`best`), in row-major order; a NaN counts as the maximum. */
const FIND_MAXIMUM = `
  var best = -1; var most = 0.0;
  for (var wy = max(0, oy * stride - padding); wy < min(h, oy * stride - padding + size_); wy++) {
    for (var wx = max(0, ox * stride - padding); wx < min(w, ox * stride - padding + size_); wx++) {
      let at = ((image * h + wy) * w + wx) * channels + c;
      if (best < 0 || x[at] > most || (isnan(x[at]) && !isnan(most))) { best = at; most = x[at]; }
    }
  }`;

export function maxPool(gpu: Gpu, x: TensorInfo, geometry: PoolGeometry): TensorInfo {
  const ints = poolInts(x, geometry);
  return gpu.programs.map(maxPoolShape(x.shape, geometry), {
    inputs: { x },
    ints,
    value: `
      let c = i % channels; let ox = i / channels % ow; let oy = i / (channels * ow) % oh;
      let image = i / (channels * ow * oh);
      ${FIND_MAXIMUM}
      return most;`,
  });
}

/** Each pixel gathers from the windows whose first maximum it is. */
export function maxPoolGradient(gpu: Gpu, dy: TensorInfo, x: TensorInfo, geometry: PoolGeometry): TensorInfo {
  return gpu.programs.map(x.shape, {
    inputs: { x, dy },
    ints: poolInts(x, geometry),
    value: `
      let c = i % channels; let ix = i / channels % w; let iy = i / (channels * w) % h;
      let image = i / (channels * w * h);
      var sum = 0.0;
      for (var oy = max(0, (iy + padding - size_ + stride) / stride); oy < min(oh, (iy + padding) / stride + 1); oy++) {
        for (var ox = max(0, (ix + padding - size_ + stride) / stride); ox < min(ow, (ix + padding) / stride + 1); ox++) {
          ${FIND_MAXIMUM}
          if (best == i) { sum += dy[((image * oh + oy) * ow + ox) * channels + c]; }
        }
      }
      return sum;`,
  });
}

export function adaptiveAveragePool(gpu: Gpu, x: TensorInfo, cells: number): TensorInfo {
  const [n, h, w, channels] = imageShape("adaptiveAveragePool", x.shape);
  return gpu.programs.map([n, cells, cells, channels], {
    inputs: { x },
    ints: { h, w, channels, cells },
    value: `
      let c = i % channels; let cx = i / channels % cells; let cy = i / (channels * cells) % cells;
      let image = i / (channels * cells * cells);
      let y0 = cy * h / cells; let y1 = ((cy + 1) * h + cells - 1) / cells;
      let x0 = cx * w / cells; let x1 = ((cx + 1) * w + cells - 1) / cells;
      var sum = 0.0;
      for (var iy = y0; iy < y1; iy++) {
        for (var ix = x0; ix < x1; ix++) { sum += x[((image * h + iy) * w + ix) * channels + c]; }
      }
      return sum / f32((y1 - y0) * (x1 - x0));`,
  });
}

/** Each pixel gathers its share of the cells that it lies in. */
export function adaptiveAveragePoolGradient(gpu: Gpu, dy: TensorInfo, inputShape: Shape): TensorInfo {
  const [, h, w, channels] = imageShape("adaptiveAveragePoolGradient", inputShape);
  const [, cells] = imageShape("adaptiveAveragePoolGradient", dy.shape);
  return gpu.programs.map(inputShape, {
    inputs: { dy },
    ints: { h, w, channels, cells },
    value: `
      let c = i % channels; let ix = i / channels % w; let iy = i / (channels * w) % h;
      let image = i / (channels * w * h);
      var sum = 0.0;
      for (var cy = iy * cells / h; cy < ((iy + 1) * cells + h - 1) / h; cy++) {
        let rows = ((cy + 1) * h + cells - 1) / cells - cy * h / cells;
        for (var cx = ix * cells / w; cx < ((ix + 1) * cells + w - 1) / w; cx++) {
          let columns = ((cx + 1) * w + cells - 1) / cells - cx * w / cells;
          sum += dy[((image * cells + cy) * cells + cx) * channels + c] / f32(rows * columns);
        }
      }
      return sum;`,
  });
}

function poolInts(x: TensorInfo, geometry: PoolGeometry) {
  const [, h, w, channels] = imageShape("maxPool", x.shape);
  const [, oh, ow] = maxPoolShape(x.shape, geometry);
  const { size, stride, padding } = geometry;
  return { h, w, channels, oh, ow, size_: size, stride, padding };
}
