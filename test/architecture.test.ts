/**
 * The structure is a promise too: imports point down the ladder, no cycles, the world is touched only by the files that
 * own it, and adding a stage type touches its own files only.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { registry } from "../stages/registry.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) return name === "generated" ? [] : sourceFiles(path);
    return path.endsWith(".ts") && !path.endsWith(".d.ts") ? [path] : [];
  });
}

const files = [...sourceFiles("src"), ...sourceFiles("stages")];
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));

/** Relative imports of a file, types and literal dynamic ones included. */
function importsOf(file: string): string[] {
  const found = [...texts.get(file)!.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map((match) => match[1]!);
  return found.map((path) => relative(root, resolve(root, dirname(file), path)));
}

/** The room a file lives in. Leaves may be imported by all. */
function roomOf(file: string): string {
  if (file.startsWith("stages/")) return "stages";
  const [, first, second] = file.split("/");
  if (second === undefined) return LEAVES.includes(file) ? "leaf" : "main";
  return first!;
}

const LEAVES = ["src/contract.ts", "src/events.ts", "src/record.ts", "src/json.ts", "src/rng.ts", "src/version.ts"];

/** What each room may import besides itself and leaves. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  main: [
    "cli",
    "report",
    "execute",
    "cache",
    "graph",
    "identity",
    "language",
    "diagnostics",
    "platform",
    "stages",
    "ml",
  ],
  cli: ["report", "execute", "cache", "graph", "identity", "language", "diagnostics", "platform"],
  report: ["cache", "graph", "identity", "language", "diagnostics", "platform"],
  execute: ["cache", "graph", "identity", "language", "diagnostics", "platform"],
  cache: ["graph", "identity", "language", "diagnostics", "platform"],
  graph: ["language", "diagnostics", "platform"],
  identity: ["language", "diagnostics", "platform"],
  language: ["diagnostics", "platform"],
  diagnostics: ["platform"],
  platform: [],
  // The registry gives the stage types to the language as a value of the language's type.
  stages: ["ml"],
  ml: ["platform"],
  leaf: [],
};

describe("the ladder", () => {
  test.each(files)("%s imports only from lower rooms or its own", (file) => {
    const room = roomOf(file);
    const wrong = importsOf(file).filter((target) => {
      if (target.startsWith("schemas/") || target.startsWith("stages/generated/")) return room !== "stages";
      const targetRoom = roomOf(target);
      if (file === "stages/registry.ts" && target === "src/language/pipeline.ts") return false;
      if (targetRoom === "leaf") return room === "ml" && !["src/rng.ts", "src/json.ts"].includes(target);
      return targetRoom !== room && !BELOW[room]!.includes(targetRoom);
    });
    expect(wrong).toEqual([]);
  });

  test("no file imports itself around a cycle", () => {
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done" || !texts.has(file)) return;
      if (state.get(file) === "open") {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      state.set(file, "open");
      for (const target of importsOf(file)) visit(target, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

/** Files that may touch a part of the world, and why they are the ones. */
const OWNERS: readonly { readonly what: string; readonly pattern: RegExp; readonly owners: readonly RegExp[] }[] = [
  {
    what: "process",
    pattern: /(?<![\w./"-])process\.(?!\s)/,
    owners: [
      /^src\/(main|compose-engines)\.ts$/,
      /^src\/platform\//,
      // Programs of their own, what starts them, and what must know this Node to load an addon.
      /^src\/execute\/worker-main\.ts$/,
      /^src\/ml\/engine\/(engine-folder|engine-process|rate-main|self-test-main|contract\/contract-main)\.ts$/,
      /^src\/ml\/engine\/native\//,
      /^src\/ml\/engine\/webgpu\/vulkan-drivers\.ts$/,
    ],
  },
  // The report's script runs in the reader's browser.
  { what: "console", pattern: /(?<![\w.])console\./, owners: [/^src\/report\/html\/report-script\.ts$/] },
  {
    what: "Date.now",
    pattern: /\bDate\.now\(|new Date\(\)/,
    owners: [
      /^src\/main\.ts$/,
      /^src\/compose-workspace\.ts$/,
      /^src\/platform\//,
      /^src\/ml\/engine\/native\/install/,
    ],
  },
  { what: "Math.random", pattern: /\bMath\.random\b/, owners: [] },
  {
    what: "node:fs",
    pattern: /"node:fs(\/promises)?"/,
    owners: [
      /^src\/main\.ts$/,
      /^src\/compose-(engines|export)\.ts$/,
      /^src\/platform\//,
      /^src\/execute\/worker-main\.ts$/,
      /^src\/identity\/bundle-(user-)?code\.ts$/,
      /^src\/report\/html\//,
      /^src\/ml\/(data|checkpoint|charts|engine)\//,
      /^stages\//,
    ],
  },
];

describe("the world is touched only by the files that own it", () => {
  test.each(OWNERS)("$what", ({ pattern, owners }) => {
    const strangers = files.filter((file) => {
      const code = texts
        .get(file)!
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\/\/.*$/gm, "");
      return pattern.test(code) && !owners.some((owner) => owner.test(file));
    });
    expect(strangers).toEqual([]);
  });
});

describe("stages", () => {
  const types = [...registry.keys()].sort();

  test("stage file, registry line and schema are one to one", () => {
    // What is only told of a stage beforehand stands beside it, so that it is no part of its code.
    const stageFiles = readdirSync(join(root, "stages")).filter(
      (name) => name.endsWith(".ts") && name !== "registry.ts" && !name.endsWith("-outlook.ts"),
    );
    expect(stageFiles.map((name) => name.replace(/\.ts$/, "")).sort()).toEqual(types);
    const schemas = readdirSync(join(root, "schemas")).filter((name) => !/^(pipeline|run|key|lock)\./.test(name));
    expect(schemas.map((name) => name.replace(/\.schema\.json$/, "")).sort()).toEqual(types);
  });

  test.each(types)("%s says what it is, and its ports say what they carry", (type) => {
    const { definition, schema } = registry.get(type)!;
    expect(definition.type).toBe(type);
    expect(definition.description).toMatch(/\w{3}/);
    for (const port of Object.values(definition.inputs)) expect(port.description).toMatch(/\w{3}/);
    expect(schema.additionalProperties).toBe(false);
    for (const property of Object.values(schema.properties as Record<string, { description?: string }>))
      expect(property.description).toMatch(/\.$/);
  });

  test.each(types)("%s loads nothing heavy before it runs", (type) => {
    const head = texts.get(`stages/${type}.ts`)!;
    const imports = [...head.matchAll(/^import (?!type )[^;]*from "([^"]+)"/gm)].map((match) => match[1]!);
    const heavy = imports.filter((path) => !path.startsWith(".") && !path.startsWith("node:"));
    expect(heavy).toEqual([]);
  });
});
