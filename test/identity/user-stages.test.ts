/**
 * A user's own stages: what moves their digest, what the program knows of them before a run, and what it refuses.
 * Longer than most files because each kind of module is written out where it is tested.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLineTable, positionAt } from "../../src/diagnostics/code-frame.ts";
import { openCodeLibrary } from "../../src/identity/code-library.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { findUnusedCode } from "../../src/identity/user-code.ts";
import { loadUserStages } from "../../src/identity/user-stages.ts";
import type { StageTypeProblem } from "../../src/language/pipeline.ts";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";

let root: string;
let count = 0;

const SOURCES = {
  "project/package.json": "{}",
  "project/stages/clean.ts": `
    // what it does
    import { readFileSync } from "node:fs";
    import { shout } from "shout";
    import { defineStage } from "tfpipe";
    import { shared } from "workspace";
    import { words } from "./lib/words";
    import table from "./lib/table.json";
    export const clean = defineStage({
      type: "clean",
      description: "Cleans.",
      schema: { type: "object", properties: { least: { type: "integer", default: 1 } } },
      inputs: { text: { kind: "any", description: "A text." } },
      outputs: { out: { kind: "file", description: "What is left." } },
      async run() { return shout(words(String(readFileSync)) + table.used + shared(1)); },
    });`,
  "project/stages/lib/words.ts": `
    export function words(text: string) { return text.length * 2; }
    export function unused(text: string) { return text.length * 3; }`,
  "project/stages/lib/table.json": `{ "used": 1 }`,
  "project/stages/other.ts": "export const other = 1;",
  "project/node_modules/shout/package.json": JSON.stringify({
    name: "shout",
    version: "1.2.3",
    type: "module",
    exports: "./index.js",
    dependencies: { inner: "*" },
  }),
  "project/node_modules/shout/index.js": "export const shout = (text) => text;",
  "project/node_modules/inner/package.json": JSON.stringify({ name: "inner", version: "0.1.0" }),
  "workspace/package.json": JSON.stringify({
    name: "workspace",
    version: "1.0.0",
    main: "index.ts",
    sideEffects: false,
  }),
  "workspace/index.ts": "export const shared = (x: number) => x + 7; export const idle = (x: number) => x + 8;",
  "tfpipe/package.json": JSON.stringify({ name: "tfpipe", version: "1.0.0", sideEffects: false }),
  "tfpipe/dist/tfpipe.js": `export { defineStage } from "./chunks/a.js"; export const idle = 1;`,
  "tfpipe/dist/chunks/a.js": "export function defineStage(definition) { return definition; } export class Other {}",
};

const at = (...parts: string[]) => join(root, ...parts);
function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}
function edit(path: string, from: string, to: string): void {
  const before = readFileSync(at(path), "utf8");
  if (!before.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(at(path), before.replace(from, to));
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "user-code-"));
  for (const [path, text] of Object.entries(SOURCES)) write(path, text);
  symlinkSync(at("workspace"), at("project/node_modules/workspace"));
});
afterEach(() => rmSync(root, { recursive: true }));

const load = (module: string, files: FileSystem = nodeFileSystem) =>
  loadUserStages(
    {
      files,
      folder: at("project/artifacts/.store/code"),
      elsewhere: () => at("refuge"),
      packageFolder: at("tfpipe"),
      unique: () => `u${++count}`,
      nowNs: () => BigInt(Date.now()) * 1_000_000n,
    },
    [at(module)],
  );
const CLEAN = "project/stages/clean.ts";

/** As the keys see it. */
async function resolveClean(files?: FileSystem) {
  const { code, problems } = await load(CLEAN, files);
  expect([...problems.values()]).toEqual([]);
  write("built/code.json", JSON.stringify({ format: "tfpipe/code/1", stages: {}, engines: {} }));
  const library = await openCodeLibrary({
    files: nodeFileSystem,
    folder: at("built"),
    sources: undefined,
    unique: () => `u${++count}`,
    userStages: code,
  });
  return library.resolve(at(CLEAN), undefined);
}

test("where the store cannot be written, the bundle is the same and lies elsewhere", async () => {
  const store = at("project/artifacts/.store");
  const refuse =
    <Rest extends unknown[]>(change: (path: string, ...rest: Rest) => void) =>
    (path: string, ...rest: Rest) => {
      if (path.startsWith(store)) throw Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
      change(path, ...rest);
    };
  const { makeFolder, writeNew } = nodeFileSystem;
  const readOnly = { ...nodeFileSystem, makeFolder: refuse(makeFolder), writeNew: refuse(writeNew) };
  const beside = await resolveClean(readOnly);
  expect(existsSync(store)).toBe(false);
  expect(beside.entry).toContain(at("refuge"));
  expect(((await import(pathToFileURL(beside.entry).href)) as Record<string, unknown>).clean).toBeDefined();
  expect(beside.digest).toBe((await resolveClean()).digest);
});

describe("the code digest of a user's stage", () => {
  test.each([
    ["a comment", CLEAN, "what it does", "what it really does", false],
    ["white space", "project/stages/lib/words.ts", "return text.length * 2", "return text.length  *  2", false],
    ["an unused function", "project/stages/lib/words.ts", "* 3", "* 4", false],
    ["a used function", "project/stages/lib/words.ts", "* 2", "* 5", true],
    ["the stage itself", CLEAN, "words(String", "words('x' + String", true],
    ["data that it imports", "project/stages/lib/table.json", "1", "2", true],
    ["a module that it does not import", "project/stages/other.ts", "1", "2", false],
    ["a linked package of the workspace", "workspace/index.ts", "+ 7", "+ 9", true],
    ["an unused function of that", "workspace/index.ts", "+ 8", "+ 9", false],
    ["what it uses of tfpipe", "tfpipe/dist/chunks/a.js", "return definition", "return { ...definition }", true],
    ["the rest of tfpipe", "tfpipe/dist/chunks/a.js", "class Other {}", "class Other { x = 1 }", false],
    ["the version of tfpipe", "tfpipe/package.json", "1.0.0", "2.0.0", false],
    ["an installed package's code", "project/node_modules/shout/index.js", "=> text", "=> text + 1", false],
  ] as const)("after an edit of %s", async (_what, path, from, to, moves) => {
    const before = await resolveClean();
    edit(path, from, to);
    const after = await resolveClean();
    expect(after.digest !== before.digest).toBe(moves);
    expect(after.packages).toEqual(before.packages);
  });

  test.each([
    ["a package that it imports", "shout", { inner: "0.1.0", shout: "1.2.4" }],
    ["a package that one depends on", "inner", { inner: "0.1.1", shout: "1.2.3" }],
  ] as const)("does not move with the version of %s; the list of packages does", async (_what, name, packages) => {
    const before = await resolveClean();
    expect(before.packages).toEqual({ inner: "0.1.0", shout: "1.2.3" });
    edit(
      `project/node_modules/${name}/package.json`,
      name === "shout" ? "1.2.3" : "0.1.0",
      name === "shout" ? "1.2.4" : "0.1.1",
    );
    const after = await resolveClean();
    expect(after.packages).toEqual(packages);
    expect(after.digest).toBe(before.digest);
  });

  test("moves when a new file takes the place of an import without an ending", async () => {
    const before = await resolveClean();
    write("project/stages/lib/words.tsx", "export const words = (text: string) => text;");
    expect((await resolveClean()).digest).not.toBe(before.digest);
  });

  test("is the same wherever the project lies", async () => {
    const before = await resolveClean();
    const old = root;
    root = mkdtempSync(join(tmpdir(), "elsewhere-"));
    for (const [path, text] of Object.entries(SOURCES)) write(path, text);
    symlinkSync(at("workspace"), at("project/node_modules/workspace"));
    const after = await resolveClean();
    rmSync(root, { recursive: true });
    root = old;
    expect(after.digest).toBe(before.digest);
    expect(after.listing).toEqual(before.listing);
  });

  test("comes with the digest of each module, by its path in its project", async () => {
    const before = (await resolveClean()).listing.modules;
    expect(Object.keys(before).sort()).toEqual([
      "index.ts",
      "stages/clean.ts",
      "stages/lib/table.json",
      "stages/lib/words.ts",
      "tfpipe/dist/chunks/a.js",
      "tfpipe/dist/tfpipe.js",
    ]);
    edit("project/stages/lib/words.ts", "* 2", "* 5");
    const after = (await resolveClean()).listing.modules;
    expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual(["stages/lib/words.ts"]);
  });
});

describe("the bundle of a user's stage", () => {
  test("is the file that runs, and so are those that lead to its packages", async () => {
    const { entry, bundles } = await resolveClean();
    expect(bundles.map(({ path }) => path)).toEqual([entry, join(dirname(entry), "packages", "shout.mjs")]);
    const { clean } = (await import(pathToFileURL(entry).href)) as { clean: { run(): Promise<number> } };
    expect(await clean.run()).toBeGreaterThan(8);
  });

  test("is made once while nothing changes, and nothing of it is written again", async () => {
    const written: string[] = [];
    const watching: FileSystem = {
      ...nodeFileSystem,
      rename(from, to) {
        written.push(to);
        nodeFileSystem.rename(from, to);
      },
    };
    await resolveClean(watching);
    expect(written.some((path) => path.endsWith("clean.mjs"))).toBe(true);
    written.length = 0;
    await resolveClean(watching);
    expect(written.filter((path) => !path.endsWith("stats.json"))).toEqual([]);
  });

  test.each([
    ["is gone from the store", (entry: string) => rmSync(dirname(entry), { recursive: true })],
    ["was edited there", (entry: string) => writeFileSync(entry, "export const clean = 1;")],
    ["lost what leads to a package", (entry: string) => rmSync(join(dirname(entry), "packages", "shout.mjs"))],
  ])("is made again where it %s", async (_what, damage) => {
    const { entry, digest } = await resolveClean();
    const text = readFileSync(entry, "utf8");
    damage(entry);
    const { digest: after, bundles } = await resolveClean();
    expect(after).toBe(digest);
    expect(readFileSync(entry, "utf8")).toBe(text);
    for (const bundle of bundles) expect(digestBytes(readFileSync(bundle.path))).toBe(bundle.digest);
  });
});

describe("what is known of a user's stage before a run", () => {
  test("is its ports and its schema, in which unknown settings are errors", async () => {
    const { types } = await load(CLEAN);
    const { definition, schema, module } = types.get(at(CLEAN))!;
    expect(module).toBe(at(CLEAN));
    expect(definition.type).toBe("clean");
    expect(schema).toEqual({
      type: "object",
      properties: { least: { type: "integer", default: 1 } },
      additionalProperties: false,
    });
  });

  test("is remembered where it is data, so that the module need not be loaded", async () => {
    const first = (await load(CLEAN)).types.get(at(CLEAN))!.definition;
    const again = (await load(CLEAN)).types.get(at(CLEAN))!.definition;
    const plain = ({ run: _run, ...data }: typeof first) => data;
    expect(plain(again)).toEqual(plain(first));
    await expect(again.run({} as never)).rejects.toThrow(/process of its own/);
  });

  test("is asked for where it is code", async () => {
    edit(CLEAN, "async run()", "check: () => [{ path: [], message: 'never right' }], async run()");
    await load(CLEAN);
    const { definition } = (await load(CLEAN)).types.get(at(CLEAN))!;
    expect(definition.check?.({ params: {}, inputs: {} })).toEqual([{ path: [], message: "never right" }]);
  });

  test("may have its schema in a file", async () => {
    edit(CLEAN, '{ type: "object", properties: { least: { type: "integer", default: 1 } } }', '"./clean.schema.json"');
    write("project/stages/clean.schema.json", '{ "type": "object", "properties": { "most": { "type": "number" } } }');
    const before = await load(CLEAN);
    expect(before.types.get(at(CLEAN))!.schema.properties).toEqual({ most: { type: "number" } });
    // Its code is the same, and what the language knows of it is not.
    edit("project/stages/clean.schema.json", "number", "integer");
    const after = await load(CLEAN);
    expect(after.code.get(at(CLEAN))).toEqual(before.code.get(at(CLEAN)));
    expect(after.digests.get(at(CLEAN))).not.toBe(before.digests.get(at(CLEAN)));
  });

  test("has no settings without a schema", async () => {
    edit(CLEAN, 'schema: { type: "object", properties: { least: { type: "integer", default: 1 } } },', "");
    expect((await load(CLEAN)).types.get(at(CLEAN))!.schema).toEqual({
      type: "object",
      additionalProperties: false,
      properties: {},
    });
  });

  test("assets count by content, and modules for threads by what they import", async () => {
    edit(CLEAN, "async run()", 'assets: { font: "./font.bin", thread: "./thread.ts" }, async run()');
    write("project/stages/font.bin", "font");
    write("project/stages/thread.ts", 'import { words } from "./lib/words.ts"; console.log(words("a"));');
    const before = await resolveClean();
    expect(Object.keys(before.assets)).toEqual(["font", "thread"]);
    edit("project/stages/font.bin", "font", "tnof");
    const after = await resolveClean();
    expect(after.digest).not.toBe(before.digest);
    edit("project/stages/thread.ts", '"a"', '"b"');
    expect((await resolveClean()).digest).not.toBe(after.digest);
  });
});

/** `clean.ts:1:18 `, from the span as the user will see it. */
function placeOf({ place }: StageTypeProblem): string {
  if (place === undefined) return "";
  const { line, column } = positionAt(createLineTable(place.text), place.span.start);
  return `${basename(place.span.file)}:${line}:${column} `;
}

test("the files that a stage was made of are known: modules, manifests of packages, assets and a schema", async () => {
  edit(CLEAN, "async run()", 'assets: { font: "./font.bin" }, async run()');
  edit(CLEAN, '{ type: "object", properties: { least: { type: "integer", default: 1 } } }', '"./clean.schema.json"');
  write("project/stages/font.bin", "font");
  write("project/stages/clean.schema.json", '{ "type": "object" }');
  const { sources } = await load(CLEAN);
  const shown = sources.get(at(CLEAN))!.map((path) => relative(root, path));
  expect(shown.sort()).toEqual([
    "project/node_modules/inner/package.json",
    "project/node_modules/shout/package.json",
    "project/package.json",
    "project/stages/clean.schema.json",
    "project/stages/clean.ts",
    "project/stages/font.bin",
    "project/stages/lib/table.json",
    "project/stages/lib/words.ts",
    "tfpipe/dist/chunks/a.js",
    "tfpipe/dist/tfpipe.js",
    "tfpipe/package.json",
    "workspace/index.ts",
    "workspace/package.json",
  ]);
});

test("bundles that nothing uses any more are found", async () => {
  const old = (await resolveClean()).entry;
  const folder = at("project/artifacts/.store/code");
  expect(findUnusedCode(nodeFileSystem, folder)).toEqual([]);
  edit(CLEAN, "words(String", "words('x' + String");
  await resolveClean();
  expect(findUnusedCode(nodeFileSystem, folder)).toEqual([dirname(old)]);
});

describe("a user's module is refused", () => {
  const definition = (changes: string) =>
    `export const clean = { type: "clean", description: "x", inputs: {}, outputs: { out: { kind: "file", description: "x" } }, run() {}, ${changes} };`;

  test.each([
    [
      "that has a mistake, with its place",
      "export const a = ;\n",
      /cannot be bundled: Unexpected ";"/,
      /clean\.ts:1:18 $/,
    ],
    ["that imports what is not there", 'import "./none.ts";', /Could not resolve "\.\/none\.ts"/, /clean\.ts:1:8/],
    [
      "that imports a computed name",
      "export const a = (n: string) => import(n);",
      /name is computed/,
      /clean\.ts:1:33/,
    ],
    [
      "that imports a pattern",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the module's text.
      "export const a = (n: string) => import(`./lib/${n}.ts`);",
      /name is computed/,
      /literal name/,
    ],
    [
      "that requires a package",
      'declare const require: any; export const a = require("shout");',
      /write import instead/,
      /clean\.ts/,
    ],
    ["that wants more of tfpipe than there is", 'import "tfpipe/secrets";', /is not part of the package/, /clean\.ts/],
    ["that throws when it is loaded", 'throw new Error("no");', /fails when it is loaded: no/, /belongs into `run`/],
    ["without a stage", "export const a = 1;", /exports no stage/, /defineStage/],
    [
      "with two stages",
      `${definition("")} ${definition("").replace("const clean", "const b")}`,
      /exports 2 stages/,
      /file of its own/,
    ],
    ["whose type is no name", definition('type: "A b"'), /type "A b" is not a name/, /^$/],
    ["without outputs", definition("outputs: {}"), /outputs are not ports/, /^$/],
    [
      "whose schema is no map of settings",
      definition('schema: { type: "string" }'),
      /type is not "object"/,
      /draft-07/,
    ],
    [
      "whose schema has what nobody judges",
      definition('schema: { type: "object", properties: { a: { format: "date" } } }'),
      /schema with format/,
      /stages\.md/,
    ],
    [
      "whose schema refers to nothing",
      definition('schema: { type: "object", properties: { a: { $ref: "#/definitions/b" } } }'),
      /refers to #\/definitions\/b/,
      /^$/,
    ],
    [
      "whose asset is not there",
      definition('assets: { a: "./none" }'),
      /asset a that does not exist/,
      /relative to the module/,
    ],
  ] as const)("%s", async (_what, text, problem, help) => {
    writeFileSync(at(CLEAN), text);
    const { types, problems } = await load(CLEAN);
    expect(types.size).toBe(0);
    const found = problems.get(at(CLEAN))!;
    expect(found.problem).toMatch(problem);
    expect(`${placeOf(found)}${found.help ?? ""}`).toMatch(help);
  });

  test("that is not there", async () => {
    expect((await load("project/stages/none.ts")).problems.get(at("project/stages/none.ts"))).toEqual({
      problem: "does not exist",
    });
  });
});
