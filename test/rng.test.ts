import { describe, expect, test } from "vitest";
import { createRng, philox4x32 } from "../src/rng.ts";

/** Known answers of the Random123 library, `kat_vectors`, philox4x32 10. */
const KNOWN_ANSWERS = [
  { counter: [0, 0, 0, 0], key: [0, 0], expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8] },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

test.each(KNOWN_ANSWERS)("Philox4x32-10 gives the published answers", ({ counter, key, expected }) => {
  const out = new Uint32Array(4);
  const [c0, c1, c2, c3] = counter;
  const [k0, k1] = key;
  philox4x32(out, c0, c1, c2, c3, k0, k1);
  expect([...out]).toEqual([...expected]);
});

const draw = (rng = createRng(1, "a"), count = 1000) => Array.from({ length: count }, () => rng.uint32());

describe("a stream", () => {
  test("depends on its seed and its name alone", () => {
    expect(draw()).toEqual(draw());
    expect(draw(createRng(1, "a", 2))).toEqual(draw(createRng(1, "a").fork(2)));
    const streams = [
      createRng(1, "a"),
      createRng(2, "a"),
      createRng(1, "b"),
      createRng(2 ** 40 + 1, "a"),
      createRng(1, "a", ""),
    ];
    expect(new Set(streams.map((rng) => draw(rng, 4).join())).size).toBe(streams.length);
  });

  test("is uniform over integers, over every bound, and its permutations hold each number once", () => {
    const rng = createRng(3, "integers");
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[rng.integer(6)]!++;
    // Five standard deviations of a binomial with n = 60000, p = 1/6.
    for (const count of counts)
      expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt(60_000 * (1 / 6) * (5 / 6)));
    expect([...rng.permutation(257)].sort((a, b) => a - b)).toEqual(Array.from({ length: 257 }, (_, i) => i));
  });

  test("has normals of mean 0, variance 1 and unclipped tails", () => {
    const rng = createRng(4, "normals");
    const values = Float64Array.from({ length: 200_000 }, () => rng.normal());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length - mean * mean;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(values.length));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / values.length));
    const beyond = values.filter((value) => Math.abs(value) > 3).length / values.length;
    expect(beyond).toBeGreaterThan(0.0022);
    expect(beyond).toBeLessThan(0.0032);
  });

  test("refuses a seed that is not a whole number from 0 on", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => createRng(seed, "a")).toThrow(/a seed is/);
  });
});
