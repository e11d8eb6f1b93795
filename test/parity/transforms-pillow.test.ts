/** Every transform against Pillow and torchvision, byte for byte (reference/make_transforms.py). */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type ColorComponent, colorJitter } from "../../src/ml/transforms/color-jitter.ts";
import type { Image, ImageSize } from "../../src/ml/transforms/image.ts";
import { type Box, drawErasedBox, drawResizedCropBox } from "../../src/ml/transforms/random-box.ts";
import { resizedCrop } from "../../src/ml/transforms/random-resized-crop.ts";
import type { Range } from "../../src/ml/transforms/range.ts";
import { type Interpolation, planResize, resize } from "../../src/ml/transforms/resize.ts";
import { type RotateInterpolation, rotate } from "../../src/ml/transforms/rotate.ts";
import type { Rng } from "../../src/rng.ts";
import { draw } from "./draw.ts";
import reference from "./reference/transforms-pillow.json" with { type: "json" };

const SHAPES: Record<string, [number, number, number]> = { square: [32, 32, 3], wide: [20, 31, 3], gray: [24, 17, 1] };
const bytes = (name: string, count: number) =>
  Uint8Array.from(draw(name, count), (value) => Math.floor((value + 1) * 128));

function imageOf(name: string): Image {
  const shape = SHAPES[name];
  if (shape !== undefined) {
    const [height, width, channels] = shape;
    return { data: bytes(name, height * width * channels), height, width, channels };
  }
  const [height, width] = [30, 40];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set([6 * x, 8 * y, 3 * x + 4 * y], (y * width + x) * 3);
  return { data, height, width, channels: 3 };
}

interface Expected {
  readonly sha256: string;
  readonly middleRow: readonly number[];
}

function expectBytes({ data, height, width, channels }: Image, { middleRow, sha256 }: Expected): void {
  expect(data).toHaveLength(height * width * channels);
  const start = Math.floor(height / 2) * width * channels;
  expect([...data.subarray(start, start + middleRow.length)]).toEqual(middleRow);
  expect(createHash("sha256").update(data).digest("hex")).toBe(sha256);
}

/** Gives `numbers` one by one, as make_transforms.py makes torchvision draw them. */
function scripted(name: string): Rng {
  const numbers = [...bytes(name, 44)].map((value) => value / 256);
  const next = () => {
    const number = numbers.shift();
    if (number === undefined) throw new Error("more was drawn than torchvision draws");
    return number;
  };
  const refuse = () => {
    throw new Error("not drawn by torchvision");
  };
  return {
    uniform: next,
    integer: (bound) => Math.floor(next() * bound),
    uint32: refuse,
    normal: refuse,
    permutation: refuse,
    fork: refuse,
  };
}

const boxOf = ([top, left, height, width]: readonly number[]): Box => ({
  top: top!,
  left: left!,
  height: height!,
  width: width!,
});

describe("transforms against Pillow and torchvision, byte for byte", () => {
  it.each(reference.resize)(
    "resizes $image to $to, $interpolation",
    ({ image: name, to, interpolation, ...expected }) => {
      const image = imageOf(name);
      const plan = planResize([image.height, image.width], to as unknown as ImageSize, interpolation as Interpolation);
      expectBytes(resize(image, plan), expected);
    },
  );

  it.each(reference.resizedCrop)("crops $box of $image and resizes it to $to, $interpolation", (row) => {
    const to = row.to as unknown as ImageSize;
    expectBytes(resizedCrop(imageOf(row.image), boxOf(row.box), to, row.interpolation as Interpolation), row);
  });

  it.each(reference.rotate)("rotates $image by $angle degrees, $interpolation", (row) => {
    expectBytes(rotate(imageOf(row.image), row.angle, row.interpolation as RotateInterpolation, row.fill), row);
  });

  it.each(reference.colorJitter)(
    "changes the $component of $image by $factor",
    ({ image, component, factor, ...row }) => {
      expectBytes(colorJitter(imageOf(image), [[component as ColorComponent, factor]]), row);
    },
  );

  it.each(reference.colorJitterOrder)("jitters colours in the order $order", ({ order, factors, ...row }) => {
    const components = ["brightness", "contrast", "saturation", "hue"] as const;
    const drawn = order.map((i) => [components[i]!, factors[i]!] as const);
    expectBytes(colorJitter(imageOf("square"), drawn), row);
  });

  it.each(reference.drawResizedCrop)("draws torchvision's crop of $size ($numbers)", (row) => {
    const ranges = { scale: row.scale as unknown as Range, ratio: row.ratio as unknown as Range };
    expect(drawResizedCropBox(scripted(row.numbers), row.size as unknown as ImageSize, ranges)).toEqual(boxOf(row.box));
  });

  it.each(reference.drawErasing)("draws what torchvision erases of $size ($numbers)", (row) => {
    const ranges = { scale: row.scale as unknown as Range, ratio: row.ratio as unknown as Range };
    const expected = row.box === null ? undefined : boxOf(row.box);
    expect(drawErasedBox(scripted(row.numbers), row.size as unknown as ImageSize, ranges)).toEqual(expected);
  });
});
