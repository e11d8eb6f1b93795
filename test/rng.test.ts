import { describe, expect, test } from "vitest";
import { createRng, philox4x32 } from "../src/rng.ts";

// The known answers of the Random123 library (kat_vectors, philox4x32 with 10 rounds).
describe("philox4x32 gives Random123's known answers", () => {
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0] as const;
  const ones = 0xffffffff;
  test.each([
    [[0, 0, 0, 0, 0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[ones, ones, ones, ones, ones, ones], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [pi, "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ] as const)("%j", ([c0, c1, c2, c3, k0, k1], expected) => {
    const out = new Uint32Array(4);
    philox4x32(out, c0, c1, c2, c3, k0, k1);
    expect([...out].map((word) => word.toString(16).padStart(8, "0")).join(" ")).toBe(expected);
  });
});

describe("streams", () => {
  const first = (seed: number, ...name: (string | number)[]) => {
    const { uint32 } = createRng(seed, ...name);
    return [uint32(), uint32(), uint32(), uint32(), uint32()];
  };

  test("are the same for the same seed and name, and differ where either does", () => {
    expect(first(1, "a", 2)).toEqual(first(1, "a", 2));
    expect(first(1, "a", 2)).not.toEqual(first(2, "a", 2));
    expect(first(1, "a", 2)).not.toEqual(first(1, "a", 3));
    expect(first(1, "a")).not.toEqual(first(1 + 2 ** 32, "a"));
    expect(first(1, "ab", "c")).not.toEqual(first(1, "a", "bc"));
  });

  test("fork under a longer name, whatever was drawn before", () => {
    const rng = createRng(1, "a");
    rng.uint32();
    expect(rng.fork("b").uint32()).toBe(first(1, "a", "b")[0]);
  });

  test("need a whole seed from 0 on", () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => createRng(seed, "a")).toThrow("a seed is");
  });
});

describe("draws", () => {
  const rng = createRng(3, "draws");

  test("are uniform in [0, 1)", () => {
    const values = Array.from({ length: 100_000 }, () => rng.uniform());
    expect(values.every((value) => value >= 0 && value < 1 && Math.fround(value) === value)).toBe(true);
    // Mean 1/2 and variance 1/12, within five deviations of theirs.
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 / Math.sqrt(12 * values.length));
  });

  test("are whole numbers below a bound, each as likely", () => {
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[rng.integer(7)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * 100);
    expect(() => rng.integer(0)).toThrow("out of range");
  });

  test("are permutations that hold every index once", () => {
    const order = rng.permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
  });
});
