import { describe, expect, test } from "vitest";
import type { ConvGeometry } from "../../../../src/ml/engine/engine.ts";
import { reachedTaps } from "../../../../src/ml/engine/plain/reached-taps.ts";

const SAME: ConvGeometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };

/** Filters whose element is its place, over maps of `size` squared pixels. */
function taps(size: number, kernel: number, geometry: ConvGeometry) {
  const filter = Float64Array.from({ length: kernel * kernel * 2 * 3 }, (_, i) => i);
  const xShape = [1, size, size, 2];
  const x = new Float64Array(size * size * 2);
  return reachedTaps({ x, xShape, filter, filterShape: [kernel, kernel, 2, 3], geometry });
}

describe("the taps that meet a pixel", () => {
  test("of a 3x3 kernel on one pixel are the middle one, without padding", () => {
    const { inputs, wholeGradient } = taps(1, 3, SAME)!;
    expect(inputs).toMatchObject({ filterShape: [1, 1, 2, 3], geometry: { stride: 1, padding: 0 } });
    expect([...inputs.filter]).toEqual([24, 25, 26, 27, 28, 29]);
    const whole = wholeGradient(Float64Array.of(1, 2, 3, 4, 5, 6));
    expect([...whole.subarray(24, 30)]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...whole].reduce((sum, x) => sum + x, 0)).toBe(21);
  });

  test("of a strided one on four pixels are the four behind the padding", () => {
    const { inputs } = taps(2, 3, { ...SAME, stride: 2 })!;
    expect(inputs).toMatchObject({ filterShape: [2, 2, 2, 3], geometry: { stride: 2, padding: 0 } });
    expect([...inputs.filter.subarray(0, 6)]).toEqual([24, 25, 26, 27, 28, 29]);
    expect([...inputs.filter.subarray(18)]).toEqual([48, 49, 50, 51, 52, 53]);
  });

  test("are all of them where the map is large enough: then nothing changes", () => {
    expect(taps(2, 3, SAME)).toBeUndefined();
    expect(taps(7, 7, { ...SAME, padding: 3, stride: 2 })).toBeUndefined();
    expect(taps(5, 1, { ...SAME, padding: 0 })).toBeUndefined();
  });

  test("of a dilated kernel count in its steps", () => {
    expect(taps(2, 3, { ...SAME, padding: 4, dilation: 4 })!.inputs).toMatchObject({
      filterShape: [1, 1, 2, 3],
      geometry: { padding: 0, dilation: 4 },
    });
  });
});
