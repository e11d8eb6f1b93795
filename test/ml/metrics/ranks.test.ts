import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countTopK, predictedClasses, softmaxRows, sumCrossEntropy } from "../../../src/ml/metrics/ranks.ts";

const logits = Float32Array.of(1, 3, 2, /**/ 5, 5, 0, /**/ -1, -2, -3);

describe("predictions", () => {
  test("are the greatest score of each row, the lower index among equals", () => {
    expect([...predictedClasses(logits, 3)]).toEqual([1, 0, 0]);
  });

  test("count among the first k in the same order as predictions are made", () => {
    expect(countTopK(logits, Int32Array.of(1, 1, 2), 3, 1)).toBe(1);
    expect(countTopK(logits, Int32Array.of(1, 1, 2), 3, 2)).toBe(2);
    expect(countTopK(logits, Int32Array.of(1, 1, 2), 3, 3)).toBe(3);
  });

  test("are never right where a model gives NaN", () => {
    expect(countTopK(new Float32Array(6).fill(Number.NaN), Int32Array.of(0, 1), 3, 1)).toBe(0);
  });

  test("top 1 and the predicted class agree on any scores", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 4, maxLength: 4 }), fc.nat(3), (row, label) => {
        const scores = Float32Array.from(row);
        expect(countTopK(scores, Int32Array.of(label), 4, 1) === 1).toBe(predictedClasses(scores, 4)[0] === label);
      }),
    );
  });

  test("all classes count where there are fewer than k", () => {
    expect(countTopK(logits, Int32Array.of(0, 1, 2), 3, 5)).toBe(3);
  });
});

describe("softmax and cross-entropy", () => {
  test("rows add up to one, and great logits overflow nothing", () => {
    const probabilities = softmaxRows(Float32Array.of(1000, 999, -1000, 0), 2);
    expect(probabilities[0]! + probabilities[1]!).toBeCloseTo(1, 6);
    expect(probabilities[0]).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
    expect([...probabilities.slice(2)]).toEqual([0, 1]);
  });

  test("the loss is minus the logarithm of the label's probability, summed over rows", () => {
    const probabilities = softmaxRows(logits, 3);
    const expected = -Math.log(probabilities[0]!) - Math.log(probabilities[4]!) - Math.log(probabilities[8]!);
    expect(sumCrossEntropy(logits, Int32Array.of(0, 1, 2), 3)).toBeCloseTo(expected, 5);
  });

  test("a label that is certain to be wrong costs its distance, not infinity", () => {
    expect(sumCrossEntropy(Float32Array.of(1000, 0), Int32Array.of(1), 2)).toBe(1000);
  });
});
