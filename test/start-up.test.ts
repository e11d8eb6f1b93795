/** What a command loads before it does anything is a budget: each module is a file to find, to read and to compile. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");

/** Modules that a built file imports at its top. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(dist, file), "utf8");
  const found = [...text.matchAll(/^(?:import|export)\b[^;"]*?"([^"]+)";$/gm)].map((match) => match[1]!);
  return [...new Set(found)].filter((name) => !name.startsWith("node:")).sort();
}

test("a command loads two files of ours, the parser of command lines and the widths of letters", () => {
  expect(importsOf("pipe.js")).toEqual(["./pipe-core.js", "commander"]);
  expect(importsOf("pipe-core.js")).toEqual(["get-east-asian-width"]);
});

test("what a run with nothing to do calls is in them, and what others call is not", () => {
  const [program, core] = ["pipe.js", "pipe-core.js"].map((file) => readFileSync(join(dist, file), "utf8"));
  for (const name of ["runCommand", "planRun", "createPlainReporter", "openFreshMemo"])
    expect(core).toContain(`function ${name}(`);
  for (const name of ["executeRun", "parsePipeline", "renderReport", "renderDagSvg"])
    expect(program! + core!).not.toContain(`function ${name}(`);
});

test("no other chunk has a module of theirs once more", () => {
  const core = readFileSync(join(dist, "pipe-core.js"), "utf8");
  const classes = [...core.matchAll(/^var (\w+) = class/gm)].map((match) => match[1]!);
  expect(classes.length).toBeGreaterThan(3);
  const chunks = join(dist, "chunks", "pipe");
  for (const name of readdirSync(chunks)) {
    const text = readFileSync(join(chunks, name), "utf8");
    expect(classes.filter((one) => text.includes(`var ${one} = class extends Error`))).toEqual([]);
  }
});
