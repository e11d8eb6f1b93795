/** What bits stand for, and how far apart two numbers are in units in the last place. */
import { describe, expect, test } from "vitest";
import type { SafetensorsDType } from "../../../src/ml/checkpoint/safetensors.ts";
import { type Bits, createBitsReader, type FloatDType, ulpDistance } from "../../../src/ml/compare/number-bits.ts";

const bits32 = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!;
const bits64 = (value: number): bigint => new BigInt64Array(Float64Array.of(value).buffer)[0]!;
const meaningOf = (dtype: SafetensorsDType, bits: Bits) => createBitsReader(dtype)(bits);

describe("what bits stand for", () => {
  test.each<[SafetensorsDType, Bits, number | bigint]>([
    ["F32", 0x3f800000, 1],
    ["F32", 0x80000000 | 0, -0],
    ["F32", 1, 2 ** -149],
    ["F32", 0x7f800000, Number.POSITIVE_INFINITY],
    ["F32", 0x7fc00000, Number.NaN],
    ["F64", bits64(-2.5), -2.5],
    ["F64", 1n, Number.MIN_VALUE],
    ["BF16", 0x3f80, 1],
    ["BF16", 0xff80, Number.NEGATIVE_INFINITY],
    ["BF16", 0x7fc0, Number.NaN],
    ["F16", 0x3c00, 1],
    ["F16", 0xc000, -2],
    ["F16", 0x0001, 2 ** -24],
    ["F16", 0x03ff, (1023 / 1024) * 2 ** -14],
    ["F16", 0x7bff, 65504],
    ["F16", 0x8000, -0],
    ["F16", 0x7c00, Number.POSITIVE_INFINITY],
    ["F16", 0xfe00, Number.NaN],
    ["I32", -7, -7],
    ["I64", -7n, -7n],
    ["U8", 255, 255],
    ["BOOL", 1, 1],
  ])("%s %s", (dtype, bits, value) => {
    expect(meaningOf(dtype, bits)).toBe(value);
  });
});

describe("units in the last place", () => {
  test.each<[string, FloatDType, Bits, Bits, number]>([
    ["a number and itself", "F32", bits32(1.5), bits32(1.5), 0],
    ["neighbours", "F32", bits32(1), bits32(1) + 1, 1],
    ["neighbours below zero", "F32", bits32(-1), bits32(-1) + 1, 1],
    ["neighbours across a power of two", "F32", bits32(2), bits32(2) - 1, 1],
    ["the zeros", "F32", bits32(0), bits32(-0), 0],
    ["zero and the smallest denormal", "F32", bits32(0), 1, 1],
    ["the smallest denormals of either sign", "F32", 1, bits32(-(2 ** -149)), 2],
    ["the largest denormal and the smallest normal", "F32", 0x007fffff, 0x00800000, 1],
    ["the largest number and infinity", "F32", 0x7f7fffff, 0x7f800000, 1],
    ["one and minus one", "F32", bits32(1), bits32(-1), 2 * 0x3f800000],
    ["doubles", "F64", bits64(1), bits64(1 + Number.EPSILON), 1],
    ["doubles across zero", "F64", bits64(Number.MIN_VALUE), bits64(-Number.MIN_VALUE), 2],
    ["doubles below zero", "F64", bits64(-3), bits64(-3) + 5n, 5],
    ["halves", "F16", 0x3c00, 0x3c02, 2],
    ["halves across zero", "F16", 0x0001, 0x8001, 2],
    ["the zeros as halves", "F16", 0x8000, 0x0000, 0],
    ["bfloat16", "BF16", 0x3f80, 0x3f7f, 1],
    ["bfloat16 below zero", "BF16", 0xbf80, 0xbf82, 2],
  ])("%s", (_, dtype, a, b, distance) => {
    expect(ulpDistance(dtype, a, b)).toBe(distance);
    expect(ulpDistance(dtype, b, a)).toBe(distance);
  });
});
