import { expect, test } from "vitest";
import { outputSize, planWindow } from "../../../../src/ml/engine/native/window.ts";

/** Where window `i` begins, in rows of the image: negative within the padding. */
const starts = (size: number, extent: number, stride: number, padding: number): number[] => {
  const { mode, pad } = planWindow(size, size, extent, extent, stride, padding);
  const count =
    mode === "SAME" ? Math.ceil(size / stride) : Math.floor((size + (pad ? pad[0] + pad[1] : 0) - extent) / stride) + 1;
  const same = Math.max((Math.ceil(size / stride) - 1) * stride + extent - size, 0);
  const before = mode === "SAME" ? Math.floor(same / 2) : (pad?.[0] ?? 0);
  return Array.from({ length: count }, (_, i) => i * stride - before);
};

test("TensorFlow's windows lie where PyTorch's do, for every size, stride and padding", () => {
  for (let size = 1; size <= 20; size++)
    for (let extent = 1; extent <= 9; extent++)
      for (let stride = 1; stride <= 3; stride++)
        for (let padding = 0; padding <= extent; padding++) {
          if (size + 2 * padding < extent) continue;
          const torch = Array.from(
            { length: outputSize(size, extent, stride, padding) },
            (_, i) => i * stride - padding,
          );
          expect({ size, extent, stride, padding, at: starts(size, extent, stride, padding) }).toEqual({
            size,
            extent,
            stride,
            padding,
            at: torch,
          });
        }
});

test("the usual convolutions need no rows of their own", () => {
  expect(planWindow(32, 32, 3, 3, 1, 1)).toEqual({ mode: "SAME", pad: undefined });
  expect(planWindow(55, 55, 3, 3, 2, 1)).toEqual({ mode: "SAME", pad: undefined });
  expect(planWindow(8, 8, 1, 1, 2, 0)).toEqual({ mode: "VALID", pad: undefined });
});

test("rows that no window reaches are not added", () => {
  expect(planWindow(110, 110, 7, 7, 2, 3)).toEqual({ mode: "VALID", pad: [3, 2, 3, 2] });
});
