/** What holds of every random transform, and how the numbers it draws are spread. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adjustBrightness, adjustContrast, adjustSaturation } from "../../../src/ml/transforms/blend.ts";
import { drawColorJitter } from "../../../src/ml/transforms/color-jitter.ts";
import { crop } from "../../../src/ml/transforms/crop.ts";
import { drawCutoutBox } from "../../../src/ml/transforms/cutout.ts";
import { erase } from "../../../src/ml/transforms/erase.ts";
import { adjustHue } from "../../../src/ml/transforms/hue.ts";
import type { Image, ImageSize } from "../../../src/ml/transforms/image.ts";
import { drawErasedBox, drawResizedCropBox } from "../../../src/ml/transforms/random-box.ts";
import { drawWindow } from "../../../src/ml/transforms/random-crop.ts";
import { resizedCrop } from "../../../src/ml/transforms/random-resized-crop.ts";
import { drawBetween } from "../../../src/ml/transforms/range.ts";
import { rotate } from "../../../src/ml/transforms/rotate.ts";
import { compileTransforms, fillInMean, type TransformSetting } from "../../../src/ml/transforms/transform-list.ts";
import { createRng } from "../../../src/rng.ts";

const imageOf = (height: number, width: number, channels: number, seed = 1): Image => {
  const rng = createRng(seed, "image");
  const data = Uint8Array.from({ length: height * width * channels }, () => rng.integer(256));
  return { data, height, width, channels };
};

const anyImage = fc
  .tuple(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }), fc.constantFrom(1, 3), fc.nat(99))
  .map(([height, width, channels, seed]) => imageOf(height, width, channels, seed));
const interpolation = fc.constantFrom("nearest" as const, "bilinear" as const, "bicubic" as const);

const RANDOM: readonly TransformSetting[] = [
  { randomCrop: { size: 9, padding: 2 } },
  { randomResizedCrop: 7 },
  { randomResizedCrop: { size: [5, 9], interpolation: "bicubic" } },
  { randomHorizontalFlip: 0.5 },
  { randomRotation: 40 },
  { randomRotation: { degrees: [-180, 180], interpolation: "bilinear", fill: 7 } },
  { colorJitter: { brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.5 } },
  { randomErasing: { probability: 0.8, value: [1, 2, 3] } },
  { cutout: { size: 5, value: 0 } },
];

describe("every random transform", () => {
  const image = imageOf(10, 12, 3);
  it.each(RANDOM)("%j gives the same image for the same numbers, and others for other numbers", (setting) => {
    const transform = compileTransforms([setting], [10, 12]);
    const digest = (seed: number) => Buffer.from(transform.apply(image, createRng(seed, "t")).data).toString("hex");
    const seeds = [...Array(20).keys()];
    const digests = seeds.map(digest);
    expect(seeds.map(digest)).toEqual(digests);
    expect(new Set(digests).size).toBeGreaterThan(1);
  });

  it.each(RANDOM)("%j gives the promised size and leaves the image it was given alone", (setting) => {
    const given = imageOf(10, 12, 3);
    const transform = compileTransforms([setting], [10, 12]);
    for (let seed = 0; seed < 50; seed++) {
      const { data, height, width, channels } = transform.apply(given, createRng(seed, "t"));
      expect([height, width, channels]).toEqual([...transform.size, 3]);
      expect(data).toHaveLength(height * width * channels);
    }
    expect(given.data).toEqual(image.data);
  });

  it("does not depend on what came before it in other images", () => {
    const transform = compileTransforms(RANDOM.slice(0, 1).concat(RANDOM.slice(3)), [10, 12]);
    const alone = transform.apply(image, createRng(5, "t")).data;
    for (let seed = 0; seed < 4; seed++) transform.apply(imageOf(10, 12, 3, seed), createRng(seed, "t"));
    expect(transform.apply(image, createRng(5, "t")).data).toEqual(alone);
  });

  it("erases with the mean only once it is known", () => {
    const setting: TransformSetting[] = [{ cutout: 4 }, { randomErasing: 1 }, { cutout: { size: 4, value: 9 } }];
    expect(() => compileTransforms(setting, [10, 12]).apply(image, createRng(1))).toThrow("mean was not filled in");
    expect(fillInMean(setting, [0, 0.5, 1])).toEqual([
      { cutout: { size: 4, value: [0, 128, 255] } },
      { randomErasing: { probability: 1, value: [0, 128, 255] } },
      { cutout: { size: 4, value: 9 } },
    ]);
  });
});

describe("what changes nothing", () => {
  const unchanged = (name: string, apply: (image: Image) => Image) =>
    it(name, () => {
      fc.assert(
        fc.property(anyImage, (image) => {
          const { data, height, width, channels } = apply(image);
          expect([height, width, channels]).toEqual([image.height, image.width, image.channels]);
          expect(data).toEqual(image.data);
        }),
        { numRuns: 50, seed: 1 },
      );
    });
  unchanged("factor 1 of brightness", (image) => adjustBrightness(image, 1));
  unchanged("factor 1 of contrast", (image) => adjustContrast(image, 1));
  unchanged("factor 1 of saturation", (image) => adjustSaturation(image, 1));
  unchanged("a rotation by nothing or whole turns", (image) =>
    rotate(rotate(image, 0, "nearest", 9), 720, "bilinear", 9),
  );
  unchanged("two half turns", (image) => rotate(rotate(image, 180, "bilinear", 9), -180, "nearest", 9));
  unchanged("an erased box outside the image", (image) => erase(image, { top: -5, left: 30, height: 5, width: 4 }, 9));
  unchanged("a crop of the whole to the same size", (image) => {
    const { height, width } = image;
    return resizedCrop(image, { top: 0, left: 0, height, width }, [height, width], "bicubic");
  });

  it("four quarter turns of a square", () => {
    const image = imageOf(9, 9, 3);
    let turned = image;
    for (let i = 0; i < 4; i++) turned = rotate(turned, 90, "bilinear", 9);
    expect(turned.data).toEqual(image.data);
    const once = rotate(image, 90, "nearest", 9);
    // Counterclockwise: what was right is on top.
    expect([...once.data.subarray(0, 3)]).toEqual([...crop(image, 0, 8, [1, 1]).data]);
  });

  it("hue and saturation of greys", () => {
    const grey = imageOf(8, 8, 1);
    const image = {
      ...grey,
      channels: 3,
      data: Uint8Array.from({ length: 192 }, (_, i) => grey.data[Math.floor(i / 3)]!),
    };
    for (const turn of [-0.5, 0.1, 0.5]) expect(adjustHue(image, turn).data).toEqual(image.data);
    expect(adjustSaturation(image, 0).data).toEqual(image.data);
    expect(adjustHue(grey, 0.3)).toBe(grey);
  });
});

describe("even images stay even", () => {
  it("under resized crops, whatever the box and the filter", () => {
    fc.assert(
      fc.property(anyImage, fc.nat(), interpolation, fc.nat(255), (image, seed, filter, value) => {
        const even: Image = { ...image, data: new Uint8Array(image.data.length).fill(value) };
        const ranges = { scale: [0.08, 1], ratio: [0.5, 2] } as const;
        const box = drawResizedCropBox(createRng(seed, "box"), [image.height, image.width], ranges);
        expect(new Set(resizedCrop(even, box, [6, 11], filter).data)).toEqual(new Set([value]));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("under rotations that fill with their colour", () => {
    fc.assert(
      fc.property(anyImage, fc.double({ min: -400, max: 400, noNaN: true }), fc.nat(255), (image, angle, value) => {
        const even: Image = { ...image, data: new Uint8Array(image.data.length).fill(value) };
        for (const filter of ["nearest", "bilinear"] as const)
          expect(new Set(rotate(even, angle, filter, value).data)).toEqual(new Set([value]));
      }),
      { numRuns: 100, seed: 1 },
    );
  });
});

describe("the numbers drawn", () => {
  const DRAWS = 4000;
  const draws = <Drawn>(draw: (rng: ReturnType<typeof createRng>) => Drawn): Drawn[] => {
    const rng = createRng(7, "distribution");
    return Array.from({ length: DRAWS }, () => draw(rng));
  };
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  /** Six standard deviations of the mean of uniform numbers over a range of this width. */
  const tolerance = (width: number) => (6 * width) / Math.sqrt(12 * DRAWS);
  const size: ImageSize = [200, 300];

  it("are uniform between the bounds", () => {
    const angles = draws((rng) => drawBetween(rng, [-30, 90]));
    expect(Math.abs(mean(angles) - 30)).toBeLessThan(tolerance(120));
    expect(Math.min(...angles)).toBeGreaterThanOrEqual(-30);
    expect(Math.min(...angles)).toBeLessThan(-29);
    expect(Math.max(...angles)).toBeLessThan(90);
    expect(Math.max(...angles)).toBeGreaterThan(89);
  });

  it("place a window anywhere, padding included", () => {
    const places = draws((rng) => drawWindow(rng, [8, 8], [8, 8], 2));
    const counts = new Map<string, number>();
    for (const place of places) counts.set(place.join(), (counts.get(place.join()) ?? 0) + 1);
    // 25 places, 160 expected each, a deviation of 12.4.
    expect(counts.size).toBe(25);
    for (const count of counts.values()) expect(Math.abs(count - DRAWS / 25)).toBeLessThan(6 * 12.4);
  });

  it("crop areas uniformly and shapes uniformly in the logarithm", () => {
    const boxes = draws((rng) => drawResizedCropBox(rng, size, { scale: [0.1, 0.5], ratio: [0.5, 2] }));
    const areas = boxes.map(({ height, width }) => (height * width) / (200 * 300));
    expect(Math.abs(mean(areas) - 0.3)).toBeLessThan(tolerance(0.4) + 0.005);
    const shapes = boxes.map(({ height, width }) => Math.log2(width / height));
    expect(Math.abs(mean(shapes))).toBeLessThan(tolerance(2) + 0.02);
    for (const { top, left, height, width } of boxes) {
      expect(Math.min(top, left)).toBeGreaterThanOrEqual(0);
      expect(top + height).toBeLessThanOrEqual(200);
      expect(left + width).toBeLessThanOrEqual(300);
    }
    // The place is uniform in what room there is.
    expect(Math.abs(mean(boxes.map(({ top, height }) => top / (200 - height || 1))) - 0.5)).toBeLessThan(
      tolerance(1) + 0.01,
    );
  });

  it("erase boxes of the asked areas, smaller than the image", () => {
    const boxes = draws((rng) => drawErasedBox(rng, size, { scale: [0.02, 0.33], ratio: [0.3, 3.3] }));
    for (const box of boxes) {
      expect(box!.height).toBeLessThan(200);
      expect(box!.width).toBeLessThan(300);
      expect((box!.height * box!.width) / (200 * 300)).toBeLessThan(0.34);
    }
    expect(draws((rng) => drawErasedBox(rng, [4, 400], { scale: [0.9, 1], ratio: [1, 1] }))).toEqual(
      Array(DRAWS).fill(undefined),
    );
  });

  it("centre a cutout on every pixel alike", () => {
    const boxes = draws((rng) => drawCutoutBox(rng, [4, 5], 3));
    const counts = new Map<string, number>();
    for (const { top, left } of boxes) counts.set(`${top},${left}`, (counts.get(`${top},${left}`) ?? 0) + 1);
    expect(counts.size).toBe(20);
    expect(Math.min(...boxes.map(({ top }) => top))).toBe(-1);
    expect(Math.max(...boxes.map(({ left }) => left))).toBe(3);
    // 200 expected each, a deviation of 13.8.
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(6 * 13.8);
  });

  it("jitter colours in every order, by factors within their ranges", () => {
    const ranges = { brightness: [0.6, 1.4], contrast: [0, 3], saturation: [1, 1.5], hue: [-0.1, 0.1] } as const;
    const jitters = draws((rng) => drawColorJitter(rng, ranges));
    const orders = new Map<string, number>();
    for (const jitter of jitters) {
      const order = jitter.map(([component]) => component).join();
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    // 24 orders, 167 expected each, a deviation of 12.6.
    expect(orders.size).toBe(24);
    for (const count of orders.values()) expect(Math.abs(count - DRAWS / 24)).toBeLessThan(6 * 12.6);
    for (const [component, [least, greatest]] of Object.entries(ranges)) {
      const factors = jitters.map((jitter) => jitter.find(([name]) => name === component)![1]);
      expect(Math.min(...factors)).toBeGreaterThanOrEqual(least);
      expect(Math.max(...factors)).toBeLessThanOrEqual(greatest);
      expect(Math.abs(mean(factors) - (least + greatest) / 2)).toBeLessThan(tolerance(greatest - least));
    }
  });

  it("leave out the colour components that are not changed", () => {
    const jitters = draws((rng) => drawColorJitter(rng, { contrast: [0.5, 1.5], hue: [0, 0.5] }));
    expect(new Set(jitters.map((jitter) => jitter.map(([component]) => component).join()))).toEqual(
      new Set(["contrast,hue", "hue,contrast"]),
    );
  });

  it("erase as often as they are told to", () => {
    const transform = compileTransforms([{ randomErasing: { probability: 0.3, value: 0 } }], [20, 20]);
    const white: Image = { data: new Uint8Array(400).fill(255), height: 20, width: 20, channels: 1 };
    const erased = Array.from({ length: 1000 }, (_, seed) => transform.apply(white, createRng(seed, "p"))).filter(
      ({ data }) => data.includes(0),
    );
    // Binomial(1000, 0.3): 6 standard deviations are 87.
    expect(Math.abs(erased.length - 300)).toBeLessThan(87);
  });
});
