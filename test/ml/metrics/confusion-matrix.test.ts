import { expect, test } from "vitest";
import { classMetrics, confusionMatrix } from "../../../src/ml/metrics/confusion-matrix.ts";

const labels = Int32Array.of(0, 0, 0, 1, 1, 3);
const predicted = Int32Array.of(0, 0, 1, 1, 0, 1);
const matrix = confusionMatrix(labels, predicted, 4);

test("rows of a confusion matrix are the true classes, columns the predicted ones", () => {
  expect(matrix).toEqual([
    [2, 1, 0, 0],
    [1, 1, 0, 0],
    [0, 0, 0, 0],
    [0, 1, 0, 0],
  ]);
});

test("precision, recall and F1 are scikit-learn's, and 0 where a class is empty", () => {
  const [cat, dog, ship, frog] = classMetrics(matrix, ["cat", "dog", "ship", "frog"]);
  expect(cat).toEqual({ className: "cat", precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 });
  expect(dog).toEqual({ className: "dog", precision: 1 / 3, recall: 1 / 2, f1: 2 / 5, support: 2 });
  expect(ship).toEqual({ className: "ship", precision: 0, recall: 0, f1: 0, support: 0 });
  expect(frog).toEqual({ className: "frog", precision: 0, recall: 0, f1: 0, support: 1 });
});
