/** Two tensors: the first element that differs is named exactly, and the figures are over all that do. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SafetensorsArray, SafetensorsDType } from "../../../src/ml/checkpoint/safetensors.ts";
import { TensorComparison, type TensorDifference } from "../../../src/ml/compare/tensor-comparison.ts";

const bytesOf = ({ buffer, byteOffset, byteLength }: SafetensorsArray) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function compare(
  dtype: SafetensorsDType,
  shape: readonly number[],
  before: SafetensorsArray,
  after: SafetensorsArray,
): TensorDifference | undefined {
  const comparison = new TensorComparison("weight", dtype, shape);
  comparison.add(0, bytesOf(before), bytesOf(after));
  return comparison.result();
}

const floats = (...values: readonly number[]) => Float32Array.from(values);

describe("two tensors", () => {
  test("that are equal have no difference, NaN and all", () => {
    expect(compare("F32", [3], floats(1, Number.NaN, -0), floats(1, Number.NaN, -0))).toBeUndefined();
  });

  test("of which one weight is one ULP off are told apart by that element", () => {
    const before = Float32Array.from({ length: 24 }, (_, i) => i / 7);
    const after = before.slice();
    new Int32Array(after.buffer)[17]! += 1;
    expect(compare("F32", [2, 3, 4], before, after)).toEqual({
      tensor: "weight",
      dtype: "F32",
      shape: [2, 3, 4],
      elements: 24,
      differing: 1,
      first: { index: [1, 1, 1], before: before[17], after: after[17] },
      maxAbsolute: after[17]! - before[17]!,
      maxRelative: (after[17]! - before[17]!) / after[17]!,
      maxUlp: 1,
      nanChanges: 0,
      infinityChanges: 0,
    });
  });

  test("have the figures of the largest difference, not of the first", () => {
    const found = compare("F32", [4], floats(1, 2, 3, -4), floats(1, 2.5, 3, 4))!;
    expect(found).toMatchObject({ differing: 2, first: { index: [1], before: 2, after: 2.5 } });
    expect(found).toMatchObject({ maxAbsolute: 8, maxRelative: 2, maxUlp: 2 * 0x40800000 });
  });

  test("count what became NaN or infinite, and leave it out of the figures", () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    const found = compare("F32", [5], floats(1, nan, inf, inf, 5), floats(nan, 2, 3, -inf, 5.5))!;
    expect(found).toMatchObject({ differing: 5, nanChanges: 2, infinityChanges: 2, maxAbsolute: 0.5 });
    expect(found.first).toEqual({ index: [0], before: 1, after: "NaN" });
    const only = compare("F32", [1], floats(inf), floats(1))!;
    expect(only).toMatchObject({ infinityChanges: 1, first: { before: "Infinity", after: 1 } });
    expect(only).not.toHaveProperty("maxAbsolute");
    expect(only).not.toHaveProperty("maxUlp");
  });

  test("whose zeros differ in sign differ, by nothing", () => {
    const found = compare("F32", [1], floats(0), floats(-0))!;
    expect(found).toMatchObject({ first: { before: 0, after: "-0" }, maxAbsolute: 0, maxRelative: 0, maxUlp: 0 });
  });

  test("whose NaNs have other payloads differ, and nothing became NaN", () => {
    const [before, after] = [floats(0), floats(0)];
    new Int32Array(before.buffer)[0] = 0x7fc00000;
    new Int32Array(after.buffer)[0] = 0x7fc00001;
    expect(compare("F32", [1], before, after)).toMatchObject({ differing: 1, nanChanges: 0, infinityChanges: 0 });
  });

  test("of half precision are measured in their own units", () => {
    expect(compare("F16", [1], Uint16Array.of(0x3c00), Uint16Array.of(0x3c01))).toMatchObject({
      first: { before: 1, after: 1 + 2 ** -10 },
      maxUlp: 1,
    });
    expect(compare("BF16", [1], Uint16Array.of(0x0001), Uint16Array.of(0x8001))).toMatchObject({ maxUlp: 2 });
  });

  test("of doubles and whole numbers, wide ones too", () => {
    const doubles = compare("F64", [2], Float64Array.of(1, 1), Float64Array.of(1, 1 + Number.EPSILON))!;
    expect(doubles).toMatchObject({ first: { index: [1] }, maxAbsolute: Number.EPSILON, maxUlp: 1 });
    const wide = compare("I64", [1], BigInt64Array.of(2n ** 60n), BigInt64Array.of(2n ** 60n + 1n))!;
    expect(wide.first).toEqual({ index: [0], before: String(2n ** 60n), after: String(2n ** 60n + 1n) });
    expect(wide.maxAbsolute).toBe(1);
    expect(wide).not.toHaveProperty("maxUlp");
    expect(compare("I32", [2], Int32Array.of(3, -4), Int32Array.of(3, 4))).toMatchObject({ maxAbsolute: 8 });
    expect(compare("U8", [2, 1], Uint8Array.of(0, 255), Uint8Array.of(0, 0))).toMatchObject({
      first: { index: [1, 0], before: 255, after: 0 },
    });
  });

  test("that are scalars have an index without members", () => {
    expect(compare("F32", [], floats(1), floats(2))!.first.index).toEqual([]);
  });

  test("are the same in pieces as at once, wherever the bytes lie", () => {
    const before = Float32Array.from({ length: 40 }, (_, i) => i);
    const after = before.map((value) => (value % 9 === 8 ? -value : value));
    const whole = compare("F32", [10, 4], before, after);
    const comparison = new TensorComparison("weight", "F32", [10, 4]);
    const shifted = (bytes: Uint8Array) => {
      const moved = new Uint8Array(bytes.length + 3).subarray(3);
      moved.set(bytes);
      return moved;
    };
    for (let at = 0; at < 40; at += 10)
      comparison.add(at, bytesOf(before.slice(at, at + 10)), shifted(bytesOf(after.slice(at, at + 10))));
    expect(comparison.result()).toEqual(whole);
  });
});

test("a change of any one element of any tensor is named exactly", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
  const property = fc.property(shape, fc.nat(), fc.integer(), fc.integer(), (sizes, place, seed, bits) => {
    const length = sizes.reduce((product, size) => product * size, 1);
    const before = Int32Array.from({ length }, (_, i) => Math.imul(seed ^ i, 0x9e3779b1));
    const after = before.slice();
    const at = place % length;
    after[at]! ^= bits === 0 ? 1 : bits;
    const found = compare("F32", sizes, new Float32Array(before.buffer), new Float32Array(after.buffer))!;
    expect(found.differing).toBe(1);
    // The index, read back as a position.
    expect(found.first.index.reduce((position, index, axis) => position * sizes[axis]! + index, 0)).toBe(at);
    const value = (array: Int32Array) => {
      const read = new Float32Array(array.buffer)[at]!;
      return Object.is(read, -0) ? "-0" : Number.isFinite(read) ? read : String(read);
    };
    expect([found.first.before, found.first.after]).toEqual([value(before), value(after)]);
  });
  fc.assert(property, { numRuns: 300 });
});
