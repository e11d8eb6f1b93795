import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { crop } from "../../src/ml/transforms/crop.ts";
import { planResize, resize } from "../../src/ml/transforms/resize.ts";
import { draw } from "./draw.ts";
import drawn from "./reference/draw.json" with { type: "json" };
import reference from "./reference/transforms.json" with { type: "json" };

const image = {
  data: Uint8Array.from(draw("image", 3072), (value) => Math.floor((value + 1) * 128)),
  height: 32,
  width: 32,
  channels: 3,
};
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("transforms against Pillow", () => {
  it("draws the reference's numbers", () => {
    expect([...draw("image", 6)]).toEqual(drawn.image);
    expect([...draw("conv1.weight", 6)]).toEqual(drawn.conv1);
  });

  it.each([
    [120, reference.resize_120_bilinear.sha256, 60, reference.resize_120_bilinear.row_60_red],
    [20, reference.resize_20_bilinear.sha256, 10, reference.resize_20_bilinear.row_10_red],
  ])("resizes 32 to %i pixels byte for byte", (size, digest, row, red) => {
    const { data } = resize(image, planResize([32, 32], [size, size]));
    expect(red.map((_, x) => data[(row * size + x) * 3])).toEqual(red);
    expect(sha256(data)).toBe(digest);
  });

  it("crops and normalises to the reference's values", () => {
    const { top, left, size } = reference.crop;
    const { mean, std, ...expected } = reference.normalized;
    const resized = resize(image, planResize([32, 32], [120, 120]));
    const cropped = crop(resized, top, left, [size, size]);
    const at = (y: number, x: number) =>
      mean.map((m, channel) => (cropped.data[(y * size + x) * 3 + channel]! / 255 - m) / std[channel]!);
    // Double precision on both sides: only the order of operations may differ, by some units of 2^-52.
    expect(at(0, 0)).toEqual(expected.pixel_0_0.map((value) => expect.closeTo(value, 12)));
    expect(at(109, 109)).toEqual(expected.pixel_109_109.map((value) => expect.closeTo(value, 12)));
    const places = Array.from({ length: size * size }, (_, place) => at(Math.floor(place / size), place % size));
    for (const channel of mean.keys()) {
      const values = places.map((pixel) => pixel[channel]!);
      const average = values.reduce((sum, value) => sum + value, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / values.length);
      expect(average).toBeCloseTo(expected.channel_mean[channel]!, 11);
      expect(deviation).toBeCloseTo(expected.channel_std[channel]!, 11);
    }
  });
});
