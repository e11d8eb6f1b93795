import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { closestName, editDistance } from "../../src/diagnostics/suggest.ts";

describe("the edit distance", () => {
  test("counts insertions, deletions, replacements and swaps of neighbours", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("trian", "train")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("abc", "abc")).toBe(0);
  });

  test("is symmetric, and zero only between equal names", () => {
    const name = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });

  test("of one edit is one", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 12 }), fc.nat(), (name, at) => {
        const i = at % name.length;
        expect(editDistance(name, name.slice(0, i) + name.slice(i + 1))).toBe(1);
      }),
    );
  });
});

describe("the closest name", () => {
  const known = ["epochs", "batchSize", "learningRate", "seed"];

  test("finds mistyped, separated and abbreviated names", () => {
    expect(closestName("lerningRate", known)).toBe("learningRate");
    expect(closestName("learning_rate", known)).toBe("learningRate");
    expect(closestName("lr", known)).toBe("learningRate");
    expect(closestName("Epochs", known)).toBe("epochs");
  });

  test("says nothing where nothing is close", () => {
    expect(closestName("momentum", known)).toBeUndefined();
    expect(closestName("x", ["a", "b"])).toBeUndefined();
    expect(closestName("a".repeat(10_000), known)).toBeUndefined();
  });
});
