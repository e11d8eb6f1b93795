/** Gives each cell of a group its test, and fails where a cell has none or a test has no cell. */
import { test } from "vitest";
import { CELLS, type Group } from "./table.ts";

/** Some cells are some hundred runs of the program. */
const LIMIT_MS = 15 * 60_000;

export function testCells(group: Group, tests: Readonly<Record<string, () => Promise<void>>>): void {
  const cells = CELLS.filter((cell) => cell.group === group);
  const untested = cells.filter(({ id }) => !Object.hasOwn(tests, id)).map(({ id }) => id);
  const strangers = Object.keys(tests).filter((id) => !cells.some((cell) => cell.id === id));
  if (untested.length + strangers.length > 0)
    throw new Error(`cells without a test: ${untested.join(", ")}; tests without a cell: ${strangers.join(", ")}`);
  for (const { id, situation, fails } of cells) {
    const run = fails === undefined ? test : test.fails;
    run(`${id}: ${situation}`, tests[id]!, LIMIT_MS);
  }
}
