import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  createSynthetic,
  SHAPES,
  type SyntheticSettings,
  syntheticClassNames,
} from "../../../src/ml/data/synthetic.ts";
import { collectSplit } from "./memory-tree.ts";

const base: SyntheticSettings = {
  kind: "shapes",
  numClasses: 10,
  imageSize: 16,
  channels: 3,
  trainCount: 40,
  testCount: 20,
  noise: 0.1,
  seed: 7,
};
const draw = async (changed: Partial<SyntheticSettings> = {}) => {
  const splits = createSynthetic({ ...base, ...changed });
  return { train: await collectSplit(splits.train), test: await collectSplit(splits.test) };
};
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

describe("synthetic images", () => {
  it("have the same bits everywhere and always", async () => {
    const found: Record<string, string> = {};
    for (const kind of ["shapes", "blobs"] as const)
      for (const [imageSize, channels] of [
        [16, 3],
        [[9, 14], 1],
      ] as const) {
        const { train, test } = await draw({ kind, imageSize, channels });
        found[`${kind} ${imageSize} ${channels}`] = `${digest(train.images)} ${digest(test.images)}`;
      }
    expect(found).toMatchInlineSnapshot(`
      {
        "blobs 16 3": "c6ba790ee5c715ac d74574f3d3e5e94c",
        "blobs 9,14 1": "ea9adb45986e94bc 8ce709f7e4f172cf",
        "shapes 16 3": "970f43c27d2928c1 9e7b8b7d9024ee92",
        "shapes 9,14 1": "3f3ae2b17f03296f 71ea5d66c7099e0c",
      }
    `);
  });

  it("depend on the seed, the split and the image, and on nothing else", async () => {
    const first = await draw();
    expect(digest((await draw()).train.images)).toBe(digest(first.train.images));
    expect(digest((await draw({ seed: 8 })).train.images)).not.toBe(digest(first.train.images));
    const imageBytes = 16 * 16 * 3;
    // More images do not change the first ones, and test's are not train's.
    const more = await draw({ trainCount: 60 });
    expect(digest(more.train.images.subarray(0, 40 * imageBytes))).toBe(digest(first.train.images));
    expect(digest(first.test.images)).not.toBe(digest(first.train.images.subarray(0, 20 * imageBytes)));
  });

  it("are written in pieces that do not matter", async () => {
    // 192 KiB an image: 21 to a piece.
    const settings = { imageSize: 256, trainCount: 23, testCount: 1, numClasses: 3, noise: 0 };
    const pieces: number[] = [];
    const { train } = createSynthetic({ ...base, ...settings });
    const images: Uint8Array[] = [];
    await train.read((first, some, labels) => {
      pieces.push(first, labels.length);
      images.push(some.slice());
    });
    expect(pieces).toEqual([0, 21, 21, 2]);
    const single = createSynthetic({ ...base, ...settings, trainCount: 22 });
    const { images: fewer } = await collectSplit(single.train);
    expect(Buffer.compare(images[1]!.subarray(0, 256 * 256 * 3), fewer.subarray(21 * 256 * 256 * 3))).toBe(0);
  });

  it("have as many of each class, under its name", async () => {
    const { train } = await draw({ numClasses: 4 });
    expect(train.labels.slice(0, 6)).toEqual([0, 1, 2, 3, 0, 1]);
    expect(syntheticClassNames({ ...base, numClasses: 4 })).toEqual(["circle", "square", "triangle", "cross"]);
    expect(syntheticClassNames({ ...base, kind: "blobs", numClasses: 12 }).slice(-2)).toEqual(["10", "11"]);
  });

  it("have noise of the strength that was asked for, around the class's picture", async () => {
    const settings = { kind: "blobs", numClasses: 2, trainCount: 400, channels: 1, imageSize: 8 } as const;
    const [clean, noisy] = [await draw({ ...settings, noise: 0 }), await draw({ ...settings, noise: 0.02 })];
    expect(digest(clean.train.images.subarray(0, 64))).toBe(digest(clean.train.images.subarray(128, 192)));
    const differences = [...noisy.train.images]
      .map((value, i) => value - clean.train.images[i]!)
      // Where nothing is cut off at black or white.
      .filter((_, i) => clean.train.images[i]! > 30 && clean.train.images[i]! < 225);
    const mean = differences.reduce((sum, d) => sum + d, 0) / differences.length;
    const deviation = Math.sqrt(differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / differences.length);
    expect(Math.abs(mean)).toBeLessThan(0.2);
    // 0.02 x 255, and rounding adds a twelfth to the variance.
    expect(deviation).toBeGreaterThan(0.97 * Math.sqrt(5.1 ** 2 + 1 / 12));
    expect(deviation).toBeLessThan(1.03 * Math.sqrt(5.1 ** 2 + 1 / 12));
  });

  it("show each figure, whole, in a colour that stands out", async () => {
    const { train } = await draw({ noise: 0, trainCount: 200, imageSize: [24, 20], channels: 1 });
    const share = SHAPES.map(() => 0);
    for (let i = 0; i < 200; i++) {
      const image = train.images.subarray(i * 480, (i + 1) * 480);
      const ground = image[0]!;
      const inside = [...image].filter((value) => value !== ground).length;
      expect(Math.max(...[...image].map((value) => Math.abs(value - ground)))).toBeGreaterThanOrEqual(60);
      expect(inside).toBeGreaterThan(10);
      // The figure touches no two opposite edges at once: it is smaller than the image.
      share[train.labels[i]!]! += inside / 480 / 20;
    }
    const named = Object.fromEntries(SHAPES.map(([name], i) => [name, share[i]!]));
    expect(named.square).toBeGreaterThan(named.diamond!);
    expect(named.circle).toBeGreaterThan(named.ring!);
    expect(named.beam).toBeGreaterThan(0.05);
  });
});
