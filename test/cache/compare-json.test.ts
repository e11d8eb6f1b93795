/** Two JSON documents, place by place. */
import { expect, test } from "vitest";
import { compareJson } from "../../src/cache/compare-json.ts";

test("equal documents have no difference, whatever the order of members", () => {
  expect(compareJson({ a: 1, b: [true, null] }, { b: [true, null], a: 1 })).toBeUndefined();
});

test("each place is named by its path, numbers with how far they are apart", () => {
  const before = { epochs: [{ loss: 2, name: "a" }, { loss: 1 }], "odd name": 1, best: 3 };
  const after = { epochs: [{ loss: 2, name: "b" }, { loss: 0.5 }], "odd name": 2, best: 3 };
  expect(compareJson(before, after)).toEqual({
    differing: 3,
    first: [
      { path: "epochs[0].name", before: "a", after: "b" },
      { path: "epochs[1].loss", before: 1, after: 0.5 },
      { path: '["odd name"]', before: 1, after: 2 },
    ],
    maxAbsolute: 1,
    maxRelative: 0.5,
  });
});

test("members that one alone has, and lists of another length, are places too", () => {
  expect(compareJson({ a: 1, list: [1, 2] }, { b: null, list: [1, 2, 3] })).toEqual({
    differing: 3,
    first: [
      { path: "a", before: 1 },
      { path: "list.length", before: 2, after: 3 },
      { path: "b", after: null },
    ],
    maxAbsolute: 1,
    maxRelative: 1 / 3,
  });
});

test("another sort of value is a difference of the place that has it", () => {
  expect(compareJson({ a: [1] }, { a: { 0: 1 } })).toMatchObject({ first: [{ path: "a", before: [1] }] });
  expect(compareJson(1, "1")).toEqual({ differing: 1, first: [{ path: "", before: 1, after: "1" }] });
});

test("of many places the first are listed and all are counted", () => {
  const long = Array.from({ length: 100 }, (_, i) => i);
  const found = compareJson(
    long,
    long.map((value) => value + 1),
  )!;
  expect(found.differing).toBe(100);
  expect(found.first).toHaveLength(20);
  expect(found.first[0]).toEqual({ path: "[0]", before: 0, after: 1 });
});
