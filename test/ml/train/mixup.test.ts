import { describe, expect, test } from "vitest";
import type { Batch } from "../../../src/ml/data/loader.ts";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import { uploadImages } from "../../../src/ml/train/image-source.ts";
import { drawMix, uploadMixedImages } from "../../../src/ml/train/mixup.ts";
import { softTargets } from "../../../src/ml/train/soft-targets.ts";
import { createRng } from "../../../src/rng.ts";
import { tinyLoader } from "./tiny-training.ts";

describe("a mix", () => {
  test("is a function of seed and step, with a permutation of the batch", () => {
    expect(drawMix({ alpha: 0.2 }, 3, 7, 16)).toEqual(drawMix({ alpha: 0.2 }, 3, 7, 16));
    const other = drawMix({ alpha: 0.2 }, 3, 8, 16);
    expect(other.partners).not.toEqual(drawMix({ alpha: 0.2 }, 3, 7, 16).partners);
    expect([...other.partners].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  // Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)); 4,000 draws are within 0.02 of either, far more than three sigma.
  test.each([0.001, 0.2, 1, 4, 50])("has shares from Beta(%d, %d)", (alpha) => {
    const shares = Array.from({ length: 4000 }, (_, step) => drawMix({ alpha }, 1, step, 1).share);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...shares)).toBeLessThanOrEqual(1);
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1 / (4 * (2 * alpha + 1)))).toBeLessThan(0.02);
  });
});

describe("mixed images", () => {
  const source = { loader: tinyLoader("a", 5, { shuffle: false }), mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };
  const shape = [3, 4, 2, 3] as const;
  const rng = createRng(1, "pixels");
  const images = Uint8Array.from({ length: 72 }, () => rng.integer(256));
  const batch: Batch = { images, labels: Int32Array.of(0, 1, 2), indices: Int32Array.of(0, 1, 2), shape };

  test("are the shares of an image and its partner, both normalised", async () => {
    const engine = await createEngine({ threads: 1, precision: "float32", folder: "" });
    const plain = (await engine.download(uploadImages(engine, batch, source))) as Float32Array;
    const partners = Uint32Array.of(1, 2, 0);
    const mixed = await engine.download(uploadMixedImages(engine, batch, source, { share: 0.7, partners }));
    expect(mixed).toHaveLength(72);
    mixed.forEach((value, i) => {
      const partner = plain[partners[Math.floor(i / 24)]! * 24 + (i % 24)]!;
      expect(Math.abs(value - (0.7 * plain[i]! + 0.3 * partner))).toBeLessThan(1e-6);
    });
    const own = await engine.download(uploadMixedImages(engine, batch, source, { share: 1, partners }));
    own.forEach((value, i) => {
      expect(Math.abs(value - plain[i]!)).toBeLessThan(1e-6);
    });
  });
});

describe("soft targets", () => {
  test("give each label its share and spread the rest", () => {
    const mixed = { labels: Int32Array.of(2, 1), share: 0.75 };
    expect([...softTargets(Int32Array.of(0, 1), 4, 0, mixed)]).toEqual([0.75, 0, 0.25, 0, 0, 1, 0, 0]);
    const smoothed = softTargets(Int32Array.of(0, 1), 4, 0.2, mixed);
    expect([...smoothed].map((value) => Number(value.toFixed(6)))).toEqual([
      0.65, 0.05, 0.25, 0.05, 0.05, 0.85, 0.05, 0.05,
    ]);
  });
});
