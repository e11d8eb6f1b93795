/** The table itself: every group has its file of tests, and every file a group. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { CELLS, GROUPS } from "./table.ts";

test("each group has a file of tests, and each file of tests a group", () => {
  const files = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.ts") && name !== "table.test.ts")
    .map((name) => name.slice(0, -".test.ts".length));
  expect(files.toSorted()).toEqual(Object.keys(GROUPS).toSorted());
});

test("each cell has a name of its own", () => {
  const ids = CELLS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
