/**
 * Convolutions on the GPU. Without groups all three are TensorFlow.js' tiled forward kernel, on arguments that programs
 * of ours lay out: its own input gradient knows no dilation, its filter gradient is one thread per weight. With groups,
 * which it does not have at all, they are programs of ours, one thread per result or one workgroup per weight.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { ConvGeometry, Shape } from "../engine.ts";
import { convolutionShape, imageShape } from "../plain/shapes.ts";
import type { Gpu } from "./gpu.ts";

export function conv2d(gpu: Gpu, x: TensorInfo, filter: TensorInfo, geometry: ConvGeometry): TensorInfo {
  const shape = convolutionShape(x.shape, filter.shape, geometry);
  const { stride, padding, dilation, groups } = geometry;
  if (groups === 1) return forward(gpu, x, filter, stride, padding, dilation);
  return gpu.programs.map(shape, {
    inputs: { x, filter_: filter },
    ints: uniforms(x.shape, filter.shape, geometry),
    value: `
      let oc = i % cout; let ox = i / cout % ow; let oy = i / (cout * ow) % oh; let image = i / (cout * ow * oh);
      let first = oc / (cout / groups) * cing;
      var sum = 0.0;
      for (var ky = 0; ky < kh; ky++) {
        let iy = oy * stride - padding + ky * dilation;
        if (iy < 0 || iy >= h) { continue; }
        for (var kx = 0; kx < kw; kx++) {
          let ix = ox * stride - padding + kx * dilation;
          if (ix < 0 || ix >= w) { continue; }
          let xs = ((image * h + iy) * w + ix) * cin + first;
          let fs = (ky * kw + kx) * cing * cout + oc;
          for (var c = 0; c < cing; c++) { sum += x[xs + c] * filter_[fs + c * cout]; }
        }
      }
      return sum;`,
  });
}

/** dx [n, h, w, cin]: the convolution of dy, its pixels `stride` apart, with the filter turned round. */
export function inputGradient(
  gpu: Gpu,
  dy: TensorInfo,
  xShape: Shape,
  filter: TensorInfo,
  geometry: ConvGeometry,
): TensorInfo {
  const ints = uniforms(xShape, filter.shape, geometry);
  if (geometry.groups > 1)
    return gpu.programs.map(xShape, {
      inputs: { dy, filter_: filter },
      ints,
      value: `
        let ic = i % cin; let ix = i / cin % w; let iy = i / (cin * w) % h; let image = i / (cin * w * h);
        let coutg = cout / groups; let first = ic / cing * coutg;
        var sum = 0.0;
        for (var ky = 0; ky < kh; ky++) {
          let ty = iy + padding - ky * dilation; let oy = ty / stride;
          if (ty < 0 || ty % stride != 0 || oy >= oh) { continue; }
          for (var kx = 0; kx < kw; kx++) {
            let tx = ix + padding - kx * dilation; let ox = tx / stride;
            if (tx < 0 || tx % stride != 0 || ox >= ow) { continue; }
            let ys = ((image * oh + oy) * ow + ox) * cout + first;
            let fs = ((ky * kw + kx) * cing + ic % cing) * cout + first;
            for (var c = 0; c < coutg; c++) { sum += dy[ys + c] * filter_[fs + c]; }
          }
        }
        return sum;`,
    });
  const { n, h, w, cin, cout, kh, kw, dilation } = ints;
  const turned = gpu.programs.map([kh, kw, cout, cin], {
    inputs: { filter_: filter },
    ints,
    value: `
      let ic = i % cin; let oc = i / cin % cout; let tap = i / (cin * cout);
      return filter_[((kh * kw - 1 - tap) * cin + ic) * cout + oc];`,
  });
  const spread = gpu.programs.map([n, h + dilation * (kh - 1), w + dilation * (kw - 1), cout], {
    inputs: { dy },
    ints,
    value: `
      let sw = w + dilation * (kw - 1); let sh = h + dilation * (kh - 1);
      let oc = i % cout; let image = i / (cout * sw * sh);
      let tx = i / cout % sw - (dilation * (kw - 1) - padding); let ox = tx / stride;
      let ty = i / (cout * sw) % sh - (dilation * (kh - 1) - padding); let oy = ty / stride;
      if (ty < 0 || tx < 0 || ty % stride != 0 || tx % stride != 0 || oy >= oh || ox >= ow) { return 0.0; }
      return dy[((image * oh + oy) * ow + ox) * cout + oc];`,
  });
  const dx = forward(gpu, spread, turned, 1, 0, dilation);
  gpu.memory.drop(turned, spread);
  return dx;
}

/** dfilter: x with channels for images, convolved with dy, which strides over it by `dilation` and reaches by `stride`. */
export function filterGradient(
  gpu: Gpu,
  dy: TensorInfo,
  x: TensorInfo,
  filterShape: Shape,
  geometry: ConvGeometry,
): TensorInfo {
  const ints = uniforms(x.shape, filterShape, geometry);
  const { n, cin, cout, kh, kw, oh, ow, stride, dilation } = ints;
  if (geometry.groups > 1)
    return gpu.programs.sum(filterShape, {
      inputs: { dy, x },
      ints,
      terms: n * oh * ow,
      term: `
        let oc = i % cout; let c = i / cout % cing; let kx = i / (cout * cing) % kw; let ky = i / (cout * cing * kw);
        let ox = k % ow; let oy = k / ow % oh; let image = k / (ow * oh);
        let iy = oy * stride - padding + ky * dilation; let ix = ox * stride - padding + kx * dilation;
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) { return 0.0; }
        return dy[k * cout + oc] * x[((image * h + iy) * w + ix) * cin + oc / (cout / groups) * cing + c];`,
    });
  const [reachH, reachW] = [stride * (oh - 1) + 1 + dilation * (kh - 1), stride * (ow - 1) + 1 + dilation * (kw - 1)];
  const channels = gpu.programs.map([cin, reachH, reachW, n], {
    inputs: { x },
    ints: { ...ints, reachH, reachW },
    value: `
      let image = i % n; let ix = i / n % reachW - padding; let iy = i / (n * reachW) % reachH - padding;
      if (iy < 0 || iy >= h || ix < 0 || ix >= w) { return 0.0; }
      return x[((image * h + iy) * w + ix) * cin + i / (n * reachW * reachH)];`,
  });
  const images = gpu.programs.map([oh, ow, n, cout], {
    inputs: { dy },
    ints,
    value: `
      let oc = i % cout; let image = i / cout % n; let pixel = i / (cout * n);
      return dy[(image * oh * ow + pixel) * cout + oc];`,
  });
  const byChannel = forward(gpu, channels, images, dilation, 0, stride);
  const dfilter = gpu.programs.map(filterShape, {
    inputs: { byChannel },
    ints,
    value: `
      let oc = i % cout; let c = i / cout % cin; let tap = i / (cout * cin);
      return byChannel[(c * kh * kw + tap) * cout + oc];`,
  });
  gpu.memory.drop(channels, images, byChannel);
  return dfilter;
}

function forward(
  gpu: Gpu,
  x: TensorInfo,
  filter: TensorInfo,
  stride: number,
  padding: number,
  dilation: number,
): TensorInfo {
  // Pads in full: a single number makes TensorFlow.js size the output by the kernel's height alone.
  const none: [number, number] = [0, 0];
  const both: [number, number] = [padding, padding];
  return gpu.kernel(
    "Conv2D",
    { x, filter },
    {
      strides: [stride, stride],
      pad: padding === 0 ? "valid" : [none, both, both, none],
      dilations: [dilation, dilation],
      dataFormat: "NHWC",
      ...(padding === 0 ? {} : { dimRoundingMode: "floor" }),
    },
  );
}

function uniforms(x: Shape, filter: Shape, geometry: ConvGeometry) {
  const [n, h, w, cin] = imageShape("conv2d", x);
  const [kh, kw, cing, cout] = imageShape("conv2d's filter", filter);
  const [, oh, ow] = convolutionShape(x, filter, geometry);
  const { stride, padding, dilation, groups } = geometry;
  return { n, h, w, cin, kh, kw, cing, cout, oh, ow, stride, padding, dilation, groups };
}
