import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TransformError } from "../../../src/ml/transforms/compiled-transform.ts";
import type { Image } from "../../../src/ml/transforms/image.ts";
import { planResize, resize } from "../../../src/ml/transforms/resize.ts";
import {
  compileTransforms,
  type TransformSetting,
  transformedSize,
} from "../../../src/ml/transforms/transform-list.ts";
import { createRng } from "../../../src/rng.ts";

/** The value of a pixel says where it was: 16 y + x, in one channel. */
function numbered(height: number, width: number): Image {
  const data = Uint8Array.from({ length: height * width }, (_, i) => 16 * Math.floor(i / width) + (i % width));
  return { data, height, width, channels: 1 };
}

const apply = (transforms: readonly TransformSetting[], image: Image, seed = 1) =>
  compileTransforms(transforms, [image.height, image.width]).apply(image, createRng(seed, "test"));

describe("a list of transforms", () => {
  it.each<[TransformSetting[], [number, number], [number, number]]>([
    [[], [32, 48], [32, 48]],
    [[{ resize: 120 }], [32, 32], [120, 120]],
    [[{ resize: 64 }], [32, 48], [64, 96]],
    [[{ resize: 50 }], [49, 33], [74, 50]],
    [[{ resize: [10, 20] }], [32, 48], [10, 20]],
    [
      [{ resize: 120 }, { randomCrop: 110 }],
      [32, 32],
      [110, 110],
    ],
    [[{ centerCrop: [3, 5] }], [32, 32], [3, 5]],
    [
      [{ randomCrop: { size: 32, padding: 4 } }, { randomHorizontalFlip: 0.5 }],
      [32, 32],
      [32, 32],
    ],
  ])("%j makes %j into %j", (transforms, from, to) => {
    expect(transformedSize(transforms, from)).toEqual(to);
  });

  it("says which transform cannot fit", () => {
    const tooLarge = () => transformedSize([{ resize: 100 }, { randomCrop: 110 }], [32, 32]);
    expect(tooLarge).toThrow("randomCrop takes 110 x 110 pixels, but the image is 100 x 100 there");
    expect(tooLarge).toThrow(expect.objectContaining({ index: 1 }));
    expect(() => transformedSize([{ randomCrop: { size: 41, padding: 4 } }], [32, 32])).toThrow("4 pixels of padding");
    expect(() => transformedSize([{ centerCrop: [8, 33] }], [32, 32])).toThrow(TransformError);
  });

  it("crops the middle, rounding halves to even as torchvision does", () => {
    const firstPixel = (size: number, crop: number) =>
      apply([{ centerCrop: crop }], numbered(size, size)).data[0]! % 16;
    // Remainders 1, 3, 5, 7 halve to 0.5, 1.5, 2.5, 3.5.
    expect([9, 11, 13, 15].map((size) => firstPixel(size, 8))).toEqual([0, 2, 2, 4]);
  });

  it("draws every place of a window, and a window is part of the image", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const { data } = apply([{ randomCrop: 6 }], numbered(8, 8), seed);
      seen.add(data[0]!);
      expect([...data]).toEqual(Array.from({ length: 36 }, (_, i) => data[0]! + 16 * Math.floor(i / 6) + (i % 6)));
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 16, 17, 18, 32, 33, 34]);
  });

  it("puts black pixels around the image before a padded crop", () => {
    const white: Image = { data: new Uint8Array(16).fill(255), height: 4, width: 4, channels: 1 };
    const counts = new Set<number>();
    for (let seed = 0; seed < 100; seed++) {
      const { data } = apply([{ randomCrop: { size: 4, padding: 4 } }], white, seed);
      counts.add(data.filter((value) => value === 255).length);
    }
    expect(counts.has(0)).toBe(true);
    expect([...counts].every((count) => [0, 1, 2, 3, 4, 6, 8, 9, 12, 16].includes(count))).toBe(true);
  });

  it("flips as often as it is told to", () => {
    const image = numbered(2, 3);
    const flipped = [2, 1, 0, 18, 17, 16];
    expect([...apply([{ randomHorizontalFlip: 1 }], image).data]).toEqual(flipped);
    expect([...apply([{ randomHorizontalFlip: 0 }], image).data]).toEqual([...image.data]);
    const half = Array.from({ length: 1000 }, (_, seed) => apply([{ randomHorizontalFlip: 0.5 }], image, seed).data[0]);
    // Binomial(1000, 1/2): 6 standard deviations are 95.
    expect(Math.abs(half.filter((first) => first === 2).length - 500)).toBeLessThan(95);
  });

  it("keeps channels together", () => {
    const image: Image = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), height: 1, width: 2, channels: 3 };
    expect([...apply([{ randomHorizontalFlip: 1 }], image).data]).toEqual([4, 5, 6, 1, 2, 3]);
    expect([...apply([{ centerCrop: [1, 1] }], image).data]).toEqual([1, 2, 3]);
  });
});

describe("resizing", () => {
  it("keeps an even image even, whatever the sizes", () => {
    const size = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(size, size, fc.integer({ min: 0, max: 255 }), (from, to, value) => {
        const image: Image = {
          data: new Uint8Array(from[0] * from[1]).fill(value),
          height: from[0],
          width: from[1],
          channels: 1,
        };
        const resized = resize(image, planResize(from, to));
        expect([resized.height, resized.width]).toEqual(to);
        expect(new Set(resized.data)).toEqual(new Set([value]));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("does not touch an image that has the size already", () => {
    const image = numbered(7, 9);
    expect(resize(image, planResize([7, 9], [7, 9])).data).toBe(image.data);
  });

  it("halves by the triangle filter's weights 1 3 3 1", () => {
    // Pillow: support 2, so an inner output pixel sees four input pixels with weights 1/8 3/8 3/8 1/8.
    const image: Image = { data: Uint8Array.of(0, 0, 80, 160, 0, 0), height: 1, width: 6, channels: 1 };
    expect([...resize(image, planResize([1, 6], [1, 3])).data]).toEqual([11, 90, 23]);
  });
});
