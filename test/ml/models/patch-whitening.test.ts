import { describe, expect, test } from "vitest";
import type { Dataset } from "../../../src/ml/data/dataset.ts";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import {
  firstConvolution,
  patchCovariance,
  principalComponents,
  whitenPatches,
} from "../../../src/ml/models/patch-whitening.ts";
import { initialState } from "../../../src/ml/nn/initial-state.ts";
import { createRng } from "../../../src/rng.ts";

/** Noise that neighbours share, so that patches have directions of more and of less variance. */
function someImages(count: number, size: number): Dataset {
  const rng = createRng(5, "images");
  const pixels = Array.from({ length: count }, () => {
    const image = new Uint8Array(size * size * 3);
    let last = 128;
    return image.map(() => (last = Math.min(255, Math.max(0, last + rng.integer(61) - 30))));
  });
  return {
    length: count,
    height: size,
    width: size,
    channels: 3,
    transform: { transforms: [], mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.5], seed: 0 },
    image: (index: number) => pixels[index]!,
  } as unknown as Dataset;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from({ length: a.length }, (_, i) => a[i]! * b[i]!).reduce((sum, x) => sum + x, 0);

describe("principal components", () => {
  test("are the eigenvectors of a matrix whose eigenvalues are known, the largest first and pointing up", () => {
    // Eigenvalues 3, 1 with (1, 1) and (1, -1), and 2 by itself.
    const [first, second, third] = principalComponents([
      [2, 0, 1],
      [0, 2, 0],
      [1, 0, 2],
    ]);
    const half = Math.SQRT1_2;
    for (const i of [0, 1, 2]) {
      expect(first![i]).toBeCloseTo([half, 0, half][i]!, 14);
      expect(second![i]).toBeCloseTo([0, 1, 0][i]!, 14);
    }
    expect(Math.abs(third![0]! + third![2]!)).toBeLessThan(1e-14);
  });

  test("of patches are at right angles, and patches do not vary together along them", () => {
    const covariance = patchCovariance(someImages(20, 12), 3);
    const components = principalComponents(covariance);
    const variances = components.map((a) =>
      dot(
        a,
        covariance.map((row) => dot(row, a)),
      ),
    );
    const total = variances.reduce((sum, x) => sum + x, 0);
    for (const [i, a] of components.entries())
      for (const [j, b] of components.entries()) {
        expect(Math.abs(dot(a, b) - Number(i === j))).toBeLessThan(1e-12);
        if (i !== j)
          expect(
            Math.abs(
              dot(
                a,
                covariance.map((row) => dot(row, b)),
              ),
            ),
          ).toBeLessThan(1e-12 * total);
      }
    expect(variances).toEqual(variances.toSorted((x, y) => y - x));
    expect(total).toBeCloseTo(
      covariance.reduce((sum, row, i) => sum + row[i]!, 0),
      10,
    );
  });
});

test("a patch's variance is that of the scaled pixels it is made of", () => {
  const images = someImages(3, 4);
  const values = [0, 1, 2].flatMap((index) => {
    const pixels = images.image(index);
    // 2x2 patches overlap by half: tops and lefts 0, 1, 2. The last element is the third channel of the lower right pixel.
    return [1, 2, 3].flatMap((y) => [1, 2, 3].map((x) => (pixels[(y * 4 + x) * 3 + 2]! / 255 - 0.3) / 0.5));
  });
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  expect(patchCovariance(images, 2)[11]![11]).toBeCloseTo(variance, 12);
});

describe("whitening a model's first convolution", () => {
  const model = describeModel({ architecture: "resnet9", width: 64, numClasses: 10 });
  const convolution = firstConvolution(model.layers)!;
  const state = initialState(model, 1);
  const images = someImages(20, 12);
  const weight = whitenPatches(state, convolution, images)["prep.conv.weight"]!.data as Float32Array;
  const filter = (i: number) => weight.subarray(i * 27, (i + 1) * 27);

  test("gives each component and its negative the length of a drawn filter, and leaves the filters that are left over", () => {
    for (let i = 0; i < 54; i += 2) {
      expect([...filter(i + 1)]).toEqual([...filter(i)].map((x) => -x));
      expect(Math.sqrt(dot(filter(i), filter(i)))).toBeCloseTo(Math.sqrt(27 * (2 / (9 * 64))), 6);
    }
    const drawn = state["prep.conv.weight"]!.data as Float32Array;
    expect([...weight.subarray(54 * 27)]).toEqual([...drawn.subarray(54 * 27)]);
  });

  test("changes no other tensor, and gives the same bits again", () => {
    const again = whitenPatches(state, convolution, images);
    expect(again["prep.conv.weight"]!.data).toEqual(weight);
    for (const name of Object.keys(state)) if (name !== "prep.conv.weight") expect(again[name]).toBe(state[name]);
  });

  test("of images smaller than its kernel is refused", () => {
    expect(() => whitenPatches(state, convolution, someImages(1, 2))).toThrow("images of 2 x 2 pixels have no patches");
  });
});
