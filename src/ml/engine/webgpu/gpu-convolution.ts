/**
 * Convolutions on the GPU. Without groups they are TensorFlow.js' tiled kernels on arguments that programs of ours lay
 * out: its own input gradient knows no dilation, its filter gradient is one thread per weight. With groups, which it does
 * not have at all, they are programs of ours, one thread per result or one workgroup per weight.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { ConvGeometry, Shape } from "../engine.ts";
import { convolutionShape, imageShape } from "../plain/shapes.ts";
import type { Gpu } from "./gpu.ts";

/** Positions of a map that count as few. */
const SMALL_MAP = 64;
/** Elements of the largest patch matrix: 64 MiB. */
const LARGEST_PATCHES = 1 << 24;

export function conv2d(gpu: Gpu, x: TensorInfo, filter: TensorInfo, geometry: ConvGeometry): TensorInfo {
  const shape = convolutionShape(x.shape, filter.shape, geometry);
  if (geometry.groups === 1) return forward(gpu, x, filter, geometry);
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
  const dx = forward(gpu, spread, turned, { stride: 1, padding: 0, dilation });
  gpu.memory.drop(turned, spread);
  return dx;
}

/** dfilter = patches' dy, over as many images at a time as their patches fit into; summed in one order. */
export function filterGradient(
  gpu: Gpu,
  dy: TensorInfo,
  x: TensorInfo,
  filterShape: Shape,
  geometry: ConvGeometry,
): TensorInfo {
  const ints = uniforms(x.shape, filterShape, geometry);
  const { n, cout, oh, ow } = ints;
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
  const pixels = oh * ow;
  const images = Math.max(1, Math.floor(LARGEST_PATCHES / (pixels * depthOf(ints))));
  let dfilter: TensorInfo | undefined;
  for (let first = 0; first < n; first += images) {
    const count = Math.min(images, n - first);
    const patches = gatherPatches(gpu, x, ints, first, count);
    const part = gpu.programs.map([count * pixels, cout], {
      inputs: { dy },
      ints: { offset: first * pixels * cout },
      value: "return dy[offset + i];",
    });
    const product = gpu.kernel("BatchMatMul", { a: patches, b: part }, { transposeA: true, transposeB: false });
    gpu.memory.drop(patches, part);
    if (dfilter === undefined) dfilter = product;
    else {
      const inputs = { before: dfilter, product };
      const sum = gpu.programs.map(product.shape, { inputs, value: "return before[i] + product[i];" });
      gpu.memory.drop(dfilter, product);
      dfilter = sum;
    }
  }
  return { ...dfilter!, shape: [...filterShape] };
}

/** x unrolled: a row [ky, kx, channel] for each output position of `count` images. */
function gatherPatches(gpu: Gpu, x: TensorInfo, ints: ConvolutionInts, first: number, count: number): TensorInfo {
  return gpu.programs.map([count * ints.oh * ints.ow, depthOf(ints)], {
    inputs: { x },
    ints: { ...ints, first },
    value: `
      let c = i % cin; let kx = i / cin % kw; let ky = i / (cin * kw) % kh;
      let row = i / (cin * kw * kh); let ox = row % ow; let oy = row / ow % oh; let image = first + row / (ow * oh);
      let iy = oy * stride - padding + ky * dilation; let ix = ox * stride - padding + kx * dilation;
      if (iy < 0 || iy >= h || ix < 0 || ix >= w) { return 0.0; }
      return x[((image * h + iy) * w + ix) * cin + c];`,
  });
}

function depthOf({ kh, kw, cin }: ConvolutionInts): number {
  return kh * kw * cin;
}

/**
 * The tiled kernel takes each image alone, in tiles of 32 positions: on small maps they would be nearly empty, so there
 * the patches of all images are one product.
 */
function forward(gpu: Gpu, x: TensorInfo, filter: TensorInfo, geometry: Omit<ConvGeometry, "groups">): TensorInfo {
  const ints = uniforms(x.shape, filter.shape, { ...geometry, groups: 1 });
  const { n, oh, ow, cout } = ints;
  const depth = depthOf(ints);
  if (oh * ow <= SMALL_MAP && n * oh * ow * depth <= LARGEST_PATCHES) {
    const patches = gatherPatches(gpu, x, ints, 0, n);
    const product = gpu.kernel(
      "BatchMatMul",
      { a: patches, b: { ...filter, shape: [depth, cout] } },
      { transposeA: false, transposeB: false },
    );
    gpu.memory.drop(patches);
    return { ...product, shape: [n, oh, ow, cout] };
  }
  const { stride, padding, dilation } = geometry;
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

type ConvolutionInts = ReturnType<typeof uniforms>;

function uniforms(x: Shape, filter: Shape, geometry: ConvGeometry) {
  const [n, h, w, cin] = imageShape("conv2d", x);
  const [kh, kw, cing, cout] = imageShape("conv2d's filter", filter);
  const [, oh, ow] = convolutionShape(x, filter, geometry);
  const { stride, padding, dilation, groups } = geometry;
  return { n, h, w, cin, kh, kw, cing, cout, oh, ow, stride, padding, dilation, groups };
}
