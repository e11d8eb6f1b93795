/**
 * How PyTorch's symmetric padding is said to TensorFlow's windowed ops, which know only VALID (none) and SAME (the odd
 * row goes to the bottom and right). Where neither says it, rows are added by a `Pad` of its own and the op is VALID.
 */
export interface Window {
  readonly mode: "SAME" | "VALID";
  /** Rows to add before and after height and width: [top, bottom, left, right]. Undefined when nothing is to be added. */
  readonly pad: readonly [number, number, number, number] | undefined;
}

/** `extent` is how many pixels the dilated kernel spans. Rows that no window reaches are not added. */
export function planWindow(
  height: number,
  width: number,
  extentHeight: number,
  extentWidth: number,
  stride: number,
  padding: number,
): Window {
  if (padding === 0) return { mode: "VALID", pad: undefined };
  if (isSame(height, extentHeight, stride, padding) && isSame(width, extentWidth, stride, padding)) {
    return { mode: "SAME", pad: undefined };
  }
  const bottom = rowsAfter(height, extentHeight, stride, padding);
  const right = rowsAfter(width, extentWidth, stride, padding);
  return { mode: "VALID", pad: [padding, bottom, padding, right] };
}

/** floor((size + 2 padding - extent) / stride) + 1. */
export function outputSize(size: number, extent: number, stride: number, padding: number): number {
  return Math.floor((size + 2 * padding - extent) / stride) + 1;
}

function isSame(size: number, extent: number, stride: number, padding: number): boolean {
  const same = Math.ceil(size / stride);
  const added = Math.max((same - 1) * stride + extent - size, 0);
  return outputSize(size, extent, stride, padding) === same && Math.floor(added / 2) === padding;
}

function rowsAfter(size: number, extent: number, stride: number, padding: number): number {
  const reached = (outputSize(size, extent, stride, padding) - 1) * stride + extent;
  return Math.max(reached - size - padding, 0);
}
