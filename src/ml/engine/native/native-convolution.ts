/**
 * Convolutions on the native engine, each by the way that is quickest for its shape:
 *
 *   pointwise   one pixel in for one pixel out, that is 1 x 1 kernels, and any kernel's middle tap on maps of one pixel:
 *               one matrix product, in whatever layout the image has
 *   winograd    3 x 3, stride 1, on small maps: see winograd.ts; float32 only
 *   direct      everything else: TensorFlow's own convolutions, which oneDNN computes
 *
 * Which way is taken follows from the shapes and the engine's settings alone, so that it is the same in every run.
 */
import type { ConvGeometry, ConvolutionAlgorithm, Shape, Tensor, Variable } from "../engine.ts";
import type { OpAttribute } from "./binding.ts";
import type { Format, Layout, NativeMemory, NativeTensor } from "./native-memory.ts";
import { attribute, BFLOAT16, FLOAT, NHWC, type TensorflowOps } from "./tensorflow-ops.ts";
import { planWindow, type Window } from "./window.ts";
import { Winograd } from "./winograd.ts";

/**
 * With `auto`, Winograd's way is taken where its fewer multiplications weigh more than its transforms: with many channels,
 * and on small maps. [largest width and height, fewest channels in and out], measured on AVX-512 machines
 * (`bench/train/convolution.mjs`): at 256 channels it takes 1 / 1.5 to 1 / 5 of the time, at 128 as much, at 64 more.
 */
const WINOGRAD_FROM: readonly (readonly [pixels: number, channels: number])[] = [
  [8, 128],
  [16, 256],
];
/** In bfloat16, the filter gradient of results up to this size is quicker as a forward convolution with batch and channels exchanged. */
const EXCHANGED_PIXELS = 8;

export class NativeConvolution {
  readonly #ops: TensorflowOps;
  readonly #memory: NativeMemory;
  readonly #algorithm: ConvolutionAlgorithm;
  readonly #format: Format;
  readonly #winograd: Winograd;
  readonly #attributes = new Map<string, readonly OpAttribute[]>();

  constructor(ops: TensorflowOps, memory: NativeMemory, algorithm: ConvolutionAlgorithm, format: Format) {
    this.#ops = ops;
    this.#memory = memory;
    this.#algorithm = algorithm;
    this.#format = format;
    this.#winograd = new Winograd(ops);
  }

  forward(x: Tensor, filter: Variable, geometry: ConvGeometry): NativeTensor {
    switch (this.#way(x.shape, filter.shape, geometry)) {
      case "pointwise":
        return this.#pointwise(x, filter, geometry.stride);
      case "winograd": {
        const channels = filter.shape[3]!;
        const input = this.#memory.held(x, "HWNC", FLOAT);
        const y = this.#winograd.forward(input, positionsFirst(x.shape), this.#memory.read(filter), channels);
        return this.#memory.tensor(y, [...x.shape.slice(0, 3), channels], "float32", { layout: "HWNC" });
      }
      case "direct":
        return this.#direct(x, filter, geometry);
    }
  }

  gradient(dy: Tensor, x: Tensor, filter: Variable, geometry: ConvGeometry, wantInput: boolean) {
    switch (this.#way(x.shape, filter.shape, geometry)) {
      case "pointwise":
        return this.#pointwiseGradient(dy, x, filter, geometry.stride, wantInput);
      case "winograd": {
        const { dx, dfilter } = this.#winograd.gradient(
          this.#memory.held(dy, "HWNC", FLOAT),
          this.#memory.held(x, "HWNC", FLOAT),
          positionsFirst(x.shape),
          this.#memory.read(filter),
          filter.shape[3]!,
          wantInput,
        );
        return {
          dx: dx === undefined ? undefined : this.#memory.tensor(dx, x.shape, "float32", { layout: "HWNC" }),
          dfilter: this.#memory.tensor(dfilter, filter.shape),
        };
      }
      case "direct":
        return this.#directGradient(dy, x, filter, geometry, wantInput);
    }
  }

  #way(shape: Shape, [kernelHeight, kernelWidth, depth, channels]: Shape, geometry: ConvGeometry) {
    const { stride, padding, dilation, groups } = geometry;
    if (groups !== 1) return "direct";
    if (kernelHeight === 1 && kernelWidth === 1 && padding === 0) return "pointwise";
    const centred =
      kernelHeight === kernelWidth && kernelHeight! % 2 === 1 && 2 * padding === dilation * (kernelHeight! - 1);
    if (centred && shape[1] === 1 && shape[2] === 1) return "pointwise";
    if (stride !== 1) return "direct";
    if (kernelHeight !== 3 || kernelWidth !== 3 || padding !== 1 || dilation !== 1) return "direct";
    if (this.#algorithm === "direct" || this.#format !== FLOAT) return "direct";
    if (this.#algorithm === "winograd") return "winograd";
    const [size, width] = [Math.max(shape[1]!, shape[2]!), Math.min(depth!, channels!)];
    return WINOGRAD_FROM.some(([pixels, fewest]) => size <= pixels && width >= fewest) ? "winograd" : "direct";
  }

  #filter(filter: Variable): number {
    return this.#format === FLOAT ? this.#memory.read(filter) : this.#memory.readRounded(filter);
  }

  /** A filter's gradient is float32 whatever it was computed in. Frees `id`. */
  #filterGradient(id: number, shape: Shape): NativeTensor {
    return this.#memory.tensor(this.#format === FLOAT ? id : this.#ops.freeing(this.#ops.cast(id, FLOAT), id), shape);
  }

  // -- pointwise ------------------------------------------------------------------------------------------------------

  #pointwise(x: Tensor, filter: Variable, stride: number): NativeTensor {
    const [ops, memory] = [this.#ops, this.#memory];
    const { layout } = memory.own(x);
    const shape = [x.shape[0]!, Math.ceil(x.shape[1]! / stride), Math.ceil(x.shape[2]! / stride), filter.shape[3]!];
    const rows = this.#pixels(x, layout, stride);
    const weights = this.#middleTap(filter);
    const product = ops.matMul(rows, weights);
    ops.free(rows, weights);
    const y = ops.freeing(ops.reshape(product, laidOut(shape, layout)), product);
    return memory.tensor(y, shape, "float32", { layout, format: this.#format });
  }

  #pointwiseGradient(dy: Tensor, x: Tensor, filter: Variable, stride: number, wantInput: boolean) {
    const [ops, memory] = [this.#ops, this.#memory];
    const { layout } = memory.own(x);
    const rows = this.#pixels(x, layout, stride);
    const outer = ops.reshape(memory.held(dy, layout, this.#format), [-1, filter.shape[3]!]);
    const dmiddle = ops.freeing(ops.matMul(rows, outer, true), rows);
    const dfilter = this.#filterGradient(this.#aroundMiddle(dmiddle, filter.shape), filter.shape);
    if (!wantInput) {
      ops.free(outer);
      return { dx: undefined, dfilter };
    }
    const weights = this.#middleTap(filter);
    const spread = ops.matMul(outer, weights, false, true);
    ops.free(outer, weights);
    const small = ops.freeing(
      ops.reshape(spread, laidOut([dy.shape[0]!, dy.shape[1]!, dy.shape[2]!, x.shape[3]!], layout)),
      spread,
    );
    const dx = stride === 1 ? small : ops.freeing(this.#apart(small, laidOut(x.shape, layout), layout, stride), small);
    return { dx: memory.tensor(dx, x.shape, "float32", { layout, format: this.#format }), dfilter };
  }

  /** The pixels that a stride meets, [pixels, cin]: the caller's to free. */
  #pixels(x: Tensor, layout: Layout, stride: number): number {
    const ops = this.#ops;
    const id = this.#memory.held(x, layout, this.#format);
    const shape = [-1, x.shape[3]!];
    if (stride === 1) return ops.reshape(id, shape);
    const met = ops.one("StridedSlice", [], id, ...this.#strides(laidOut(x.shape, layout), layout, stride));
    return ops.freeing(ops.reshape(met, shape), met);
  }

  /** The reverse: pixels that a stride meets in their places, zeros between. */
  #apart(small: number, shape: Shape, layout: Layout, stride: number): number {
    return this.#ops.one("StridedSliceGrad", [], this.#ops.ints(shape), ...this.#strides(shape, layout, stride), small);
  }

  /** Begin, end and strides for every stride-th row and column. */
  #strides(shape: Shape, layout: Layout, stride: number): readonly number[] {
    const steps = layout === "NHWC" ? [1, stride, stride, 1] : [stride, stride, 1, 1];
    return [this.#ops.ints([0, 0, 0, 0]), this.#ops.ints(shape), this.#ops.ints(steps)];
  }

  /** [cin, cout]: the caller's to free. */
  #middleTap(filter: Variable): number {
    const ops = this.#ops;
    const id = this.#filter(filter);
    const [height, , cin, cout] = filter.shape as readonly [number, number, number, number];
    if (height === 1) return ops.reshape(id, [cin, cout]);
    const middle = ops.slice(id, [height >> 1, height >> 1, 0, 0], [1, 1, cin, cout]);
    return ops.freeing(ops.reshape(middle, [cin, cout]), middle);
  }

  /** [cin, cout] as the middle tap of a filter whose others are zero. Frees `middle`. */
  #aroundMiddle(middle: number, shape: Shape): number {
    const ops = this.#ops;
    const [height, , cin, cout] = shape as readonly [number, number, number, number];
    if (height === 1) return ops.freeing(ops.reshape(middle, shape), middle);
    const tap = ops.freeing(ops.reshape(middle, [1, 1, cin, cout]), middle);
    return ops.freeing(ops.one("Pad", [], tap, ops.tapPaddings(height >> 1)), tap);
  }

  // -- direct ---------------------------------------------------------------------------------------------------------

  #direct(x: Tensor, filter: Variable, geometry: ConvGeometry): NativeTensor {
    const window = convWindow(x, filter, geometry);
    const input = this.#padded(x, window);
    const attributes = this.#convAttributes(geometry, window);
    const [output] = this.#ops.binding.executeOp("Conv2D", attributes, [input, this.#filter(filter)], 1);
    if (window.pad !== undefined) this.#ops.free(input);
    return this.#memory.tensor(output!.id, output!.shape, "float32", { format: this.#format });
  }

  #directGradient(dy: Tensor, x: Tensor, filter: Variable, geometry: ConvGeometry, wantInput: boolean) {
    const [ops, memory] = [this.#ops, this.#memory];
    const gradient = memory.held(dy, "NHWC", this.#format);
    const dfilter =
      this.#format === BFLOAT16 && isExchangeable(dy.shape, geometry)
        ? this.#exchangedFilterGradient(dy, x, filter, geometry)
        : this.#directFilterGradient(gradient, x, filter, geometry);
    const result = this.#filterGradient(dfilter, filter.shape);
    if (!wantInput) return { dx: undefined, dfilter: result };
    const window = convWindow(x, filter, geometry);
    const shape = ops.ints(paddedShape(x.shape, window));
    const attributes = this.#convAttributes(geometry, window);
    const spread = ops.one("Conv2DBackpropInput", attributes, shape, this.#filter(filter), gradient);
    const dx = cropped(ops, spread, x.shape, window);
    return { dx: memory.tensor(dx, x.shape, "float32", { format: this.#format }), dfilter: result };
  }

  #directFilterGradient(gradient: number, x: Tensor, filter: Variable, geometry: ConvGeometry): number {
    const ops = this.#ops;
    const window = convWindow(x, filter, geometry);
    const input = this.#padded(x, window);
    const attributes = this.#convAttributes(geometry, window);
    const dfilter = ops.one("Conv2DBackpropFilter", attributes, input, ops.ints(filter.shape), gradient);
    if (window.pad !== undefined) ops.free(input);
    return dfilter;
  }

  /** dfilter [kh, kw, cin, cout] = x [cin, h, w, n] convolved with dy [oh, ow, n, cout], which the stride sets apart. */
  #exchangedFilterGradient(dy: Tensor, x: Tensor, filter: Variable, { stride, padding }: ConvGeometry): number {
    const [ops, memory] = [this.#ops, this.#memory];
    const images = ops.transpose(memory.held(x, "NHWC", this.#format), [3, 1, 2, 0]);
    const kernel = ops.transpose(memory.held(dy, "NHWC", this.#format), [1, 2, 0, 3]);
    const [height, width, cin, cout] = filter.shape as readonly [number, number, number, number];
    const after = (axis: 1 | 2, taps: number) =>
      Math.max(stride * (dy.shape[axis]! - 1) + taps - x.shape[axis]! - padding, 0);
    const attributes = this.#exchangedAttributes(stride, padding, after(1, height), after(2, width));
    const [met] = ops.binding.executeOp("Conv2D", attributes, [images, kernel], 1);
    ops.free(images, kernel);
    // Rows of the image that no window reaches would be taps beyond the kernel.
    const whole = met!.shape[1] === height && met!.shape[2] === width;
    const taps = whole ? met!.id : ops.freeing(ops.slice(met!.id, [0, 0, 0, 0], [cin, height, width, cout]), met!.id);
    return ops.freeing(ops.transpose(taps, [1, 2, 0, 3]), taps);
  }

  /** `x` with the rows its window wants: then the caller's to free. */
  #padded(x: Tensor, { pad }: Window): number {
    const id = this.#memory.held(x, "NHWC", this.#format);
    return pad === undefined ? id : this.#ops.one("Pad", [], id, this.#ops.paddings(...pad));
  }

  #convAttributes({ stride, dilation }: ConvGeometry, { mode }: Window): readonly OpAttribute[] {
    return this.#remember(`${stride} ${dilation} ${mode}`, () => [
      NHWC,
      attribute.int("strides", [1, stride, stride, 1]),
      attribute.int("dilations", [1, dilation, dilation, 1]),
      attribute.string("padding", mode),
      attribute.bool("use_cudnn_on_gpu", true),
    ]);
  }

  #exchangedAttributes(stride: number, before: number, below: number, right: number): readonly OpAttribute[] {
    return this.#remember(`exchanged ${stride} ${before} ${below} ${right}`, () => [
      NHWC,
      attribute.int("strides", [1, 1, 1, 1]),
      attribute.int("dilations", [1, stride, stride, 1]),
      attribute.string("padding", "EXPLICIT"),
      attribute.int("explicit_paddings", [0, 0, before, below, before, right, 0, 0]),
      attribute.bool("use_cudnn_on_gpu", true),
    ]);
  }

  #remember(key: string, make: () => readonly OpAttribute[]): readonly OpAttribute[] {
    const known = this.#attributes.get(key) ?? make();
    this.#attributes.set(key, known);
    return known;
  }
}

function convWindow(x: Tensor, filter: Variable, { stride, padding, dilation }: ConvGeometry): Window {
  const extent = (size: number) => dilation * (size - 1) + 1;
  const [, height, width] = x.shape;
  return planWindow(height!, width!, extent(filter.shape[0]!), extent(filter.shape[1]!), stride, padding);
}

/** Takes the rows that a window added off a gradient, and frees it. */
export function cropped(ops: TensorflowOps, dx: number, shape: Shape, { pad }: Window): number {
  return pad === undefined ? dx : ops.freeing(ops.slice(dx, [0, pad[0], pad[2], 0], shape), dx);
}

export function paddedShape(shape: Shape, { pad }: Window): Shape {
  if (pad === undefined) return shape;
  const [top, bottom, left, right] = pad;
  return [shape[0]!, shape[1]! + top + bottom, shape[2]! + left + right, shape[3]!];
}

/** TensorFlow's own bfloat16 gradient is slow there, and on maps of one pixel leaves taps unset that only meet padding. */
function isExchangeable([, rows, columns]: Shape, { dilation, groups }: ConvGeometry): boolean {
  return dilation === 1 && groups === 1 && Math.max(rows!, columns!) <= EXCHANGED_PIXELS;
}

/** What [n, h, w, c] is in a layout. */
function laidOut(shape: Shape, layout: Layout): Shape {
  return layout === "NHWC" ? shape : positionsFirst(shape);
}

/** [n, h, w, c] -> [h, w, n, c]. */
function positionsFirst([n, height, width, channels]: Shape): Shape {
  return [height!, width!, n!, channels!];
}
