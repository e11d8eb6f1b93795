/** The guide for PyTorch users names settings that exist, and its recipe is a pipeline that passes the language. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { renderDiagnostics } from "../src/diagnostics/render-diagnostic.ts";
import { loadPipeline } from "../src/language/load-pipeline.ts";
import { registry } from "../stages/registry.ts";

const root = resolve(import.meta.dirname, "..");
const guide = readFileSync(join(root, "docs", "from-pytorch.md"), "utf8");
const schemas = readdirSync(join(root, "schemas"))
  .filter((name) => !/^(run|key)\./.test(name))
  .map((name) => JSON.parse(readFileSync(join(root, "schemas", name), "utf8")) as Node);

type Node = Readonly<Record<string, unknown>>;

/** Every property name, and every value that an enum or const allows, under the property's name. */
function collect(document: Node, names: Set<string>, values: Map<string, Set<unknown>>): void {
  const visit = (node: unknown, property: string | undefined, open: readonly string[]): void => {
    if (typeof node !== "object" || node === null) return;
    const { properties, enum: choices = [], const: only, $ref: reference } = node as Node;
    const known = values.get(property ?? "") ?? new Set();
    for (const value of [...(choices as unknown[]), ...(only === undefined ? [] : [only])]) known.add(value);
    if (property !== undefined) values.set(property, known);
    for (const [name, schema] of Object.entries((properties as Node | undefined) ?? {})) {
      names.add(name);
      visit(schema, name, []);
    }
    if (typeof reference === "string" && reference.startsWith("#/definitions/") && !open.includes(reference)) {
      const target = (document.definitions as Node)[reference.slice("#/definitions/".length)];
      visit(target, property, [...open, reference]);
    }
    for (const [key, child] of Object.entries(node))
      if (!["properties", "default", "enum", "const", "definitions"].includes(key)) visit(child, property, open);
  };
  visit(document, undefined, []);
  for (const definition of Object.values((document.definitions as Node | undefined) ?? {}))
    visit(definition, undefined, []);
}
const names = new Set<string>();
const values = new Map<string, Set<unknown>>();
for (const schema of schemas) collect(schema, names, values);

/** Settings as the guide's tables write them, in the column of ours: `{ type: sgd, momentum: 0.9 }`, `epochs: 50`. */
const settings = guide
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
  .flatMap((line) =>
    [
      ...line
        .split(" | ")
        .at(-1)!
        .matchAll(/`([^`]+)`/g),
    ].map((match) => match[1]!),
  )
  .filter((code) => code.includes(": "));

/** Names of inputs and stages are the user's. */
const FREE = new Set(["inputs"]);

function check(node: unknown, wrong: string[]): void {
  if (Array.isArray(node)) for (const item of node) check(item, wrong);
  else if (typeof node === "object" && node !== null)
    for (const [name, value] of Object.entries(node)) {
      if (!names.has(name)) wrong.push(name);
      const allowed = values.get(name);
      if (typeof value === "string" && allowed !== undefined && allowed.size > 0 && !allowed.has(value))
        wrong.push(`${name}: ${value}`);
      if (!FREE.has(name)) check(value, wrong);
    }
}

test("every setting in its tables exists, with a value that some schema allows", () => {
  expect(settings.length).toBeGreaterThan(60);
  const wrong: string[] = [];
  for (const setting of settings) check(parse(setting), wrong);
  expect(wrong).toEqual([]);
});

test("every name in backticks in what differs that looks like a setting is one", () => {
  const [, section] = /## What differs, and why\n(.*?)\n## /s.exec(guide)!;
  const codes = [...section!.matchAll(/`([a-z][A-Za-z]+)(?:: [a-z]+)?`/g)].map((match) => match[1]!);
  const known = new Set([...names, ...[...values.values()].flatMap((set) => [...set])]);
  // Words of the other side, and of files.
  const others = new Set(["split", "weights", "valid"]);
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !known.has(code) && !others.has(code))).toEqual([]);
});

test("the kinds of optimiser, schedule and transform that exist are all in the guide", () => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, "schemas", `${name}.schema.json`), "utf8"));
  const { optimizer, schedule } = read("train").properties;
  const kinds = [...optimizer.oneOf, ...schedule.oneOf].map(({ $ref }: { $ref: string }) => $ref.split("/").at(-1)!);
  for (const kind of kinds) expect(guide).toContain(`type: ${kind}`);
  for (const transform of Object.keys(read("normalize").definitions.transform.properties))
    expect(guide).toContain(`{ ${transform}: `);
});

describe("the recipe", () => {
  const block = (language: string) => new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(guide)![1]!;
  const yaml = block("yaml");

  test("passes the language and the schema that editors use", () => {
    const source = { file: "recipe.yaml", folder: root, text: yaml };
    const { diagnostics, texts } = loadPipeline(source, { profiles: [], overrides: [], exists: existsSync }, registry);
    expect(diagnostics.length === 0 ? "" : renderDiagnostics(diagnostics, texts, { color: false })).toBe("");
    const schema = JSON.parse(readFileSync(join(root, "schemas", "pipeline.schema.json"), "utf8"));
    const valid = new Ajv({ strict: false, allErrors: true }).compile(schema);
    expect(valid(parse(yaml)) ? [] : valid.errors).toEqual([]);
  });

  test("has the same numbers on both sides", () => {
    const marks = (text: string) =>
      [...text.matchAll(/# ([\d ]+)$/gm)]
        .flatMap((match) => match[1]!.split(" "))
        .map(Number)
        .sort((a, b) => a - b);
    expect(marks(yaml)).toEqual(marks(block("python")));
    expect(marks(yaml)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
  });
});
