import { expect, test } from "vitest";
import { asFloat32 } from "../../../src/ml/nn/read-state.ts";

test("half-precision weights widen exactly", () => {
  // 1, -2, the largest (65504), the smallest normal, the smallest subnormal, 1/3 to 11 bits, -0.
  const f16 = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x8000);
  expect([...asFloat32({ dtype: "F16", shape: [7], data: f16 })]).toEqual([
    1,
    -2,
    65504,
    2 ** -14,
    2 ** -24,
    0.333251953125,
    -0,
  ]);
  const special = asFloat32({ dtype: "F16", shape: [2], data: Uint16Array.of(0xfc00, 0x7e00) });
  expect([...special]).toEqual([Number.NEGATIVE_INFINITY, Number.NaN]);
});

test("bfloat16 weights widen exactly", () => {
  const data = Uint16Array.of(0x3f80, 0xc000, 0x3eab, 0x7f80);
  expect([...asFloat32({ dtype: "BF16", shape: [4], data })]).toEqual([1, -2, 0.333984375, Number.POSITIVE_INFINITY]);
});

test("doubles round to the nearest float32", () => {
  expect([...asFloat32({ dtype: "F64", shape: [1], data: Float64Array.of(0.1) })]).toEqual([Math.fround(0.1)]);
});

test("integers hold no weights", () => {
  expect(() => asFloat32({ dtype: "I32", shape: [1], data: Int32Array.of(1) })).toThrow("holds no weights");
});
