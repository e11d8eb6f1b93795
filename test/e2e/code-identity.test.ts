/**
 * What an edit of tfpipe's own code runs again, tried in a copy of this checkout with the real program: one line of the
 * plot stage runs plot, a comment runs nothing.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Project } from "./project.ts";
import { createTinyProject, stagesThat } from "./tiny-pipeline.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
let checkout: string;
let project: Project;

beforeAll(async () => {
  checkout = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const part of ["src", "stages", "schemas", "assets", "dist", "package.json"])
    cpSync(join(root, part), join(checkout, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
  project = await createTinyProject(join(checkout, "dist", "pipe.js"));
  expect((await project.run(["run", "tiny", "--json"])).code).toBe(0);
});
afterAll(() => {
  project.remove();
  rmSync(checkout, { recursive: true });
});

/** Edits a source, runs, and sets the source back. */
async function stagesAfterEdit(path: string, from: string | RegExp, to: string): Promise<readonly string[]> {
  const file = join(checkout, path);
  const before = readFileSync(file, "utf8");
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, after);
  try {
    return stagesThat((await project.run(["run", "tiny", "--json"])).outcomes, "ran");
  } finally {
    writeFileSync(file, before);
  }
}

/** Adds a statement that really runs to a stage's `run`. */
const STATEMENT = (type: string) =>
  [
    /async run\(([^)]*)\) \{\n/,
    `async run($1) {\n    if (Number.isNaN(${type.length})) throw new Error("never");\n`,
  ] as const;

test.each([
  ["one line of the plot stage", "stages/plot.ts", ...STATEMENT("plot"), ["plot"]],
  ["a comment in the train stage", "stages/train.ts", /^/, "// a comment\n", []],
  ["a comment in the training loop", "src/ml/train/train-model.ts", /^/, "// a comment\n", []],
  ["an engine that is not used", "src/ml/engine/cpu/cpu-engine.ts", /^/, 'import "node:os";\n', []],
  ["the program itself, which no stage contains", "src/cli/run.ts", /^/, 'import "node:os";\n', []],
  // The splitter's own file is what split alone contains; equal parts come out, so nothing after it runs.
  ["one line of the split stage", "stages/split.ts", ...STATEMENT("split"), ["split"]],
] as const)("after an edit of %s exactly the right stages run", async (_what, path, from, to, expected) => {
  expect(await stagesAfterEdit(path, from, to)).toEqual(expected);
});

test("why names the source file that was edited", async () => {
  const file = join(checkout, "stages/plot.ts");
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replace(...STATEMENT("plot")));
  const why = await project.run(["why", "tiny", "plot"]);
  writeFileSync(file, before);
  expect(why.stdout).toContain("stages/plot.ts");
});
