/**
 * The part of a filter that ever meets a pixel: on maps of few pixels most taps of a padded kernel only meet padding. A 3x3
 * kernel on one pixel is its middle tap alone, a ninth of the work, and the result is the same to the bit but for zeros.
 */
import type { ConvGeometry } from "../engine.ts";
import type { ConvolutionInputs } from "./convolution.ts";
import { convolutionShape, outputSize } from "./shapes.ts";
import { type Reals, zerosLike } from "./storage.ts";

export interface ReachedTaps {
  /** The same convolution with a smaller filter and less padding. */
  readonly inputs: ConvolutionInputs;
  /** The gradient of the whole filter from that of the smaller one: zero where nothing is met. */
  wholeGradient(dfilter: Reals): Reals;
}

/** Undefined where every tap meets something, or where the rest is no convolution with the same padding on all sides. */
export function reachedTaps({ xShape, filterShape, filter, geometry, x }: ConvolutionInputs): ReachedTaps | undefined {
  const [, oh, ow] = convolutionShape(xShape, filterShape, geometry);
  const [kh, kw, cinGroup, cout] = filterShape as readonly [number, number, number, number];
  const [height, width] = [xShape[1]!, xShape[2]!];
  const rows = reached(height, oh, kh, geometry);
  const columns = reached(width, ow, kw, geometry);
  const [fewerRows, fewerColumns] = [rows.end - rows.first, columns.end - columns.first];
  if (fewerRows === kh && fewerColumns === kw) return undefined;
  const padding = geometry.padding - rows.first * geometry.dilation;
  const smaller = { ...geometry, padding };
  if (rows.first !== columns.first || padding < 0) return undefined;
  if (outputSize(height, fewerRows, smaller) !== oh || outputSize(width, fewerColumns, smaller) !== ow)
    return undefined;

  const taps = cinGroup * cout;
  /** Calls `visit` with where each row of taps that stays begins, in the whole filter and in the smaller one. */
  const eachRow = (visit: (whole: number, part: number) => void) => {
    for (let row = 0; row < fewerRows; row++)
      visit(((rows.first + row) * kw + columns.first) * taps, row * fewerColumns * taps);
  };
  const part = zerosLike(filter, fewerRows * fewerColumns * taps);
  eachRow((from, to) => part.set(filter.subarray(from, from + fewerColumns * taps), to));
  return {
    inputs: { x, xShape, filter: part, filterShape: [fewerRows, fewerColumns, cinGroup, cout], geometry: smaller },
    wholeGradient(dfilter) {
      const whole = zerosLike(dfilter, filter.length);
      eachRow((to, from) => whole.set(dfilter.subarray(from, from + fewerColumns * taps), to));
      return whole;
    },
  };
}

/** The taps [first, end) along one dimension that meet a pixel for some output. */
function reached(size: number, outputs: number, kernel: number, { stride, padding, dilation }: ConvGeometry) {
  const meets = (tap: number) => {
    for (let output = 0; output < outputs; output++) {
      const pixel = output * stride - padding + tap * dilation;
      if (pixel >= 0 && pixel < size) return true;
    }
    return false;
  };
  const taps = Array.from({ length: kernel }, (_, tap) => tap).filter(meets);
  // A kernel that meets nothing at all keeps its first tap.
  return { first: taps[0] ?? 0, end: (taps.at(-1) ?? 0) + 1 };
}
