/** docs/reproducibility.md is right: every promise names a test that is there, every measured row is one that the benchmark makes. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const guide = read("docs/reproducibility.md");
const bench = read("bench/reproducibility.mjs");
const program = read("src/cli/program.ts");

// biome-ignore lint/suspicious/noTemplateCurlyInString: as the benchmark writes them.
const [VERSION, NODE_VERSION] = ["${version}", "${versionOf(node)}"];

/** The rows of the table under a heading, without its title and rule. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const section = guide.split(/^## /m).find((text) => text.startsWith(heading))!;
  return section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split(" | ")
        .map((cell) => cell.trim()),
    );
}

describe("a promise", () => {
  const promises = rowsUnder("What is promised").map(([promise, , tests]) => [promise!, tests!] as const);
  test.each(promises)("%s: its test is there", (_, tests) => {
    const named = [...tests.matchAll(/`((?:test|src)\/[^`]+\.ts)`(?: "([^"]+)")?/g)];
    expect(named.length).toBeGreaterThan(0);
    for (const [, path, title] of named) {
      expect(existsSync(join(root, path!)), path).toBe(true);
      if (title !== undefined) expect(read(path!), `${path}: ${title}`).toContain(title);
    }
    expect(named.some(([, path]) => /\.(?:test|long)\.ts$/.test(path!))).toBe(true);
  });

  test("there are as many as the table has rows", () => {
    expect(promises.length).toBeGreaterThan(10);
  });
});

describe("a measured row", () => {
  const rows = rowsUnder("What is not promised");
  const made = [...bench.matchAll(/name: (?:"([^"]+)"|`([^`]+)`)/g)].map((match) => match[1] ?? match[2]!);
  const inBench = (name: string) =>
    name.replace(/(?<=TensorFlow )[\d.]+\d/, VERSION).replace(/(?<=Node )[\d.]+\d/, NODE_VERSION);

  test.each(rows.map((row) => [row[0]!, row] as const))("%s is one that the benchmark makes", (name, row) => {
    expect(made).toContain(inBench(name));
    expect(row).toHaveLength(4);
    for (const cell of row.slice(2))
      expect(cell).toMatch(/^(?:identical|\d+ of \d+ tensors, at most \S+, \S+ ULP, [\d.]+ %)$/);
  });

  test("every one that the benchmark makes is in the table", () => {
    const shown = new Set(rows.map(([name]) => inBench(name!)));
    expect(made.length).toBeGreaterThan(12);
    expect(made.filter((name) => !shown.has(name))).toEqual([]);
  });
});

test("the commands and files that it names are there", () => {
  const options = [...guide.matchAll(/node (bench\/\S+\.mjs)((?: --\w+ \S+)*)/g)];
  expect(options.length).toBeGreaterThan(0);
  for (const [, file, flags] of options) {
    expect(existsSync(join(root, file!))).toBe(true);
    for (const [, flag] of flags!.matchAll(/--(\w+)/g)) expect(read(file!)).toContain(`${flag}: { type: "string"`);
  }
  for (const [, command, option] of guide.matchAll(/`pipe (\w+)(?: \w+)?(?: --(\w+))?/g)) {
    expect(program).toContain(`"${command}"`);
    if (option !== undefined) expect(program).toMatch(new RegExp(`"--${option}[ "]`));
  }
  for (const [, path] of guide.matchAll(/`(scripts\/[^`]+)`/g)) expect(existsSync(join(root, path!)), path).toBe(true);
  for (const [, path] of guide.matchAll(/\]\(([^)#]+)/g))
    expect(existsSync(join(root, "docs", path!)), path).toBe(true);
});
