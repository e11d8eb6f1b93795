/**
 * The brute-force gradients against central differences in double precision: for L = sum(dy y(x)), the slope
 * (L(x + h) - L(x - h)) / 2h. With h = 1e-4 its own error is h^2 times a third derivative, about 1e-8.
 */
import { describe, expect, test } from "vitest";
import type { Values } from "../../src/ml/engine/contract/reference.ts";
import * as reference from "../../src/ml/engine/contract/reference.ts";
import { drawn, drawnBetween } from "../../src/ml/engine/contract/workbench.ts";

const STEP = 1e-4;
const TOLERANCE = 1e-6;

function expectGradient(f: (x: Values) => Values, x: Values, dy: Values, dx: Values): void {
  const loss = (at: Values) => f(at).data.reduce((sum, value, i) => sum + value * dy.data[i]!, 0);
  x.data.forEach((value, i) => {
    const moved = (by: number): Values => ({ shape: x.shape, data: x.data.with(i, value + by) });
    const slope = (loss(moved(STEP)) - loss(moved(-STEP))) / (2 * STEP);
    expect(Math.abs(slope - dx.data[i]!), `element ${i}: ${slope} against ${dx.data[i]}`).toBeLessThan(TOLERANCE);
  });
}

describe("the reference's gradients are the slopes of its forward ops", () => {
  test.each([
    { stride: 1, padding: 1, dilation: 1, groups: 1 },
    { stride: 2, padding: 0, dilation: 1, groups: 2 },
    { stride: 2, padding: 2, dilation: 2, groups: 4 },
  ])("convolution %o", (geometry) => {
    const x = drawn("x", 2, 5, 6, 4);
    const filter = drawn("filter", 3, 2, 4 / geometry.groups, 4);
    const dy = drawn("dy", ...reference.convolutionShape(x, filter, geometry));
    const { dx, dfilter } = reference.conv2dGradient(dy, x, filter, geometry);
    expectGradient((at) => reference.conv2d(at, filter, geometry), x, dy, dx);
    expectGradient((at) => reference.conv2d(x, at, geometry), filter, dy, dfilter);
  });

  test("bias", () => {
    const [x, bias, dy] = [drawn("x", 2, 3, 2, 3), drawn("bias", 3), drawn("dy", 2, 3, 2, 3)];
    expectGradient((at) => reference.addBias(x, at), bias, dy, reference.addBiasGradient(dy));
  });

  test("batch normalisation", () => {
    const [x, dy] = [drawn("x", 2, 3, 3, 3), drawn("dy", 2, 3, 3, 3)];
    const [scale, shift] = [drawnBetween(0.5, 1.5, "scale", 3), drawn("shift", 3)];
    const { dx, dscale, dshift } = reference.batchNormGradient(dy, x, scale, 1e-3);
    expectGradient((at) => reference.batchNormTrain(at, scale, shift, 1e-3), x, dy, dx);
    expectGradient((at) => reference.batchNormTrain(x, at, shift, 1e-3), scale, dy, dscale);
    expectGradient((at) => reference.batchNormTrain(x, scale, at, 1e-3), shift, dy, dshift);
  });

  test.each([1, 2, 4])("group normalisation in %i groups", (groups) => {
    const [x, dy] = [drawn("x", 2, 2, 3, 4), drawn("dy", 2, 2, 3, 4)];
    const [scale, shift] = [drawnBetween(0.5, 1.5, "scale", 4), drawn("shift", 4)];
    const { dx, dscale, dshift } = reference.groupNormGradient(dy, x, scale, groups, 1e-3);
    expectGradient((at) => reference.groupNorm(at, scale, shift, groups, 1e-3), x, dy, dx);
    expectGradient((at) => reference.groupNorm(x, at, shift, groups, 1e-3), scale, dy, dscale);
    expectGradient((at) => reference.groupNorm(x, scale, at, groups, 1e-3), shift, dy, dshift);
  });

  test("rectifier and max pooling, away from their kinks", () => {
    const x: Values = {
      shape: [1, 5, 5, 2],
      data: Float64Array.from({ length: 50 }, (_, i) => ((i * 17) % 50) / 25 - 0.99),
    };
    const dy = drawn("dy", 1, 5, 5, 2);
    expectGradient(reference.relu, x, dy, reference.reluGradient(dy, reference.relu(x)));
    for (const geometry of [
      { size: 3, stride: 2, padding: 1 },
      { size: 2, stride: 2, padding: 0 },
    ]) {
      const outer = drawn("outer", ...reference.maxPool(x, geometry).shape);
      expectGradient((at) => reference.maxPool(at, geometry), x, outer, reference.maxPoolGradient(outer, x, geometry));
    }
  });

  test.each([1, 2, 7])("adaptive average pooling to %i", (size) => {
    const [x, dy] = [drawn("x", 2, 5, 3, 2), drawn("dy", 2, size, size, 2)];
    expectGradient(
      (at) => reference.adaptiveAveragePool(at, size),
      x,
      dy,
      reference.adaptiveAveragePoolGradient(dy, x.shape),
    );
  });

  test("dense layer", () => {
    const [x, weight, bias, dy] = [drawn("x", 3, 4), drawn("weight", 4, 5), drawn("bias", 5), drawn("dy", 3, 5)];
    const { dx, dweight, dbias } = reference.denseGradient(dy, x, weight);
    expectGradient((at) => reference.dense(at, weight, bias), x, dy, dx);
    expectGradient((at) => reference.dense(x, at, bias), weight, dy, dweight);
    expectGradient((at) => reference.dense(x, weight, at), bias, dy, dbias);
  });

  test("softmax cross-entropy", () => {
    const [logits, one] = [drawn("logits", 3, 4), { shape: [], data: Float64Array.of(1) }];
    const loss = (at: Values) => reference.softmaxCrossEntropy(at, [0, 3, 1]).loss;
    expectGradient(loss, logits, one, reference.softmaxCrossEntropy(logits, [0, 3, 1]).dlogits);
  });
});

describe("the reference agrees with numbers computed elsewhere", () => {
  test("convolution of a ramp by a box sums windows", () => {
    const x: Values = { shape: [1, 3, 3, 1], data: Float64Array.from({ length: 9 }, (_, i) => i) };
    const box: Values = { shape: [2, 2, 1, 1], data: new Float64Array(4).fill(1) };
    const y = reference.conv2d(x, box, { stride: 1, padding: 0, dilation: 1, groups: 1 });
    expect([...y.data]).toEqual([8, 12, 20, 24]);
  });

  test("a channel of 1, 2, 3, 4 has mean 2.5, biased variance 1.25 and unbiased 5/3", () => {
    const x: Values = { shape: [1, 2, 2, 1], data: Float64Array.of(1, 2, 3, 4) };
    const [zero, one] = [reference.zeros(1), { shape: [1], data: Float64Array.of(1) }];
    const y = reference.batchNormTrain(x, one, zero, 0);
    expect(y.data[0]).toBeCloseTo(-1.5 / Math.sqrt(1.25), 12);
    const moved = reference.movedRunningStatistics(x, zero, one, 0.1);
    expect(moved.mean.data[0]).toBeCloseTo(0.25, 12);
    expect(moved.variance.data[0]).toBeCloseTo(0.9 + 0.1 * (5 / 3), 12);
  });
});
