import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundleCode } from "../../src/identity/bundle-code.ts";
import { type CodeIndex, openCodeLibrary } from "../../src/identity/code-library.ts";
import { nodeFileSystem } from "../../src/platform/file-system.ts";

let root: string;
let count = 0;

const SOURCES = {
  "stages/puppet.ts": `
    // what it does
    export const puppet = {
      type: "puppet",
      async run() {
        const { used: twice } = await import("../src/heavy.ts");
        return twice(21);
      },
    };`,
  "src/heavy.ts": `
    import { thing } from "some-package";
    export function used(x: number) { return thing(x) * 2; }
    export function unused(x: number) { return x * 3; }`,
  "src/thread.ts": `export const inThread = 1;`,
  "assets/font.ttf": "font",
  "src/engine-a.ts": `export const createEngine = () => "a";`,
  "src/engine-b.ts": `export const createEngine = () => "b";`,
  "node_modules/some-package/package.json": JSON.stringify({
    name: "some-package",
    version: "1.2.3",
    dependencies: { inner: "*" },
  }),
  "node_modules/inner/package.json": JSON.stringify({ name: "inner", version: "0.1.0" }),
};

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const edit = (path: keyof typeof SOURCES, from: string | RegExp, to: string) =>
  write(path, readFileSync(join(root, path), "utf8").replace(from, to));

/** As the build does it. */
async function build(): Promise<void> {
  mkdirSync(join(root, "code"), { recursive: true });
  const bundle = async (source: string) => {
    const made = await bundleCode(root, source);
    writeFileSync(join(root, "code", made.bundle.file), made.text);
    return made.bundle;
  };
  const index: CodeIndex = {
    format: "tfpipe/code/1",
    stages: {
      puppet: {
        entry: await bundle("stages/puppet.ts"),
        assets: { thread: await bundle("src/thread.ts"), font: await bundle("assets/font.ttf") },
      },
    },
    engines: { a: await bundle("src/engine-a.ts"), b: await bundle("src/engine-b.ts") },
  };
  writeFileSync(join(root, "code", "code.json"), JSON.stringify(index));
}

const open = (checkout: "sources" | "no sources" = "sources") =>
  openCodeLibrary({
    files: nodeFileSystem,
    folder: join(root, "code"),
    sources: checkout === "sources" ? root : undefined,
    unique: () => `u${++count}`,
  });

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "code-"));
  for (const [path, text] of Object.entries(SOURCES)) write(path, text);
  await build();
});
afterEach(() => rmSync(root, { recursive: true }));

const digestWith = async (engine: "a" | "b" | undefined = "a") => (await open()).resolve("puppet", engine).digest;

describe("the code digest of a stage", () => {
  test.each([
    ["a comment", "stages/puppet.ts", "what it does", "what it really does", false],
    ["white space", "src/heavy.ts", "return thing", "return   thing", false],
    ["an unused function", "src/heavy.ts", "x * 3", "x * 4", false],
    ["a used function", "src/heavy.ts", "* 2", "* 5", true],
    ["the stage itself", "stages/puppet.ts", "21", "22", true],
    ["a worker-thread module", "src/thread.ts", "= 1", "= 2", true],
    ["a file that the stage reads", "assets/font.ttf", "font", "other", true],
    ["the chosen engine", "src/engine-a.ts", '"a"', '"aa"', true],
    ["another engine", "src/engine-b.ts", '"b"', '"bb"', false],
  ] as const)("after an edit of %s", async (_what, path, from, to, moves) => {
    const before = await digestWith();
    edit(path, from, to);
    expect((await digestWith()) !== before).toBe(moves);
  });

  test("does not move with a package's version; the list of packages does, with all they depend on", async () => {
    const before = (await open()).resolve("puppet", "a");
    expect(before.packages).toEqual({ inner: "0.1.0", "some-package": "1.2.3" });
    edit("node_modules/some-package/package.json", "1.2.3", "1.2.4");
    const after = (await open()).resolve("puppet", "a");
    expect(after.packages).toEqual({ inner: "0.1.0", "some-package": "1.2.4" });
    expect(after.digest).toBe(before.digest);
  });

  test("is that of an untouched checkout without bundling anew, also with two versions of one package", async () => {
    write("node_modules/some-package/node_modules/inner/package.json", '{ "name": "inner", "version": "0.2.0" }');
    edit("node_modules/some-package/package.json", '"*"}', '"*","other":"*"}');
    write(
      "node_modules/other/package.json",
      '{ "name": "other", "version": "1.0.0", "dependencies": { "inner": "*" } }',
    );
    expect((await open()).resolve("puppet", "a").packages.inner).toBe("0.1.0 0.2.0");
    const index = () => statSync(join(root, "code", "code.json"), { bigint: true }).ctimeNs;
    const bundled = index();
    await open();
    expect(index()).toBe(bundled);
  });

  test("comes with the packages as they are after one was installed nearer to its importer", async () => {
    write("node_modules/.package-lock.json", "{}");
    await build();
    await open();
    write("node_modules/some-package/node_modules/inner/package.json", '{ "name": "inner", "version": "0.2.0" }');
    write("node_modules/.package-lock.json", '{ "packages": {} }');
    expect((await open()).resolve("puppet", "a").packages.inner).toBe("0.2.0");
  });

  test("is of the very file that runs", async () => {
    edit("src/heavy.ts", "* 2", "* 5");
    const { entry } = (await open()).resolve("puppet", "a");
    expect(readFileSync(entry, "utf8")).toMatch(/\*5/);
    expect(readFileSync(entry, "utf8")).not.toMatch(/unused|x\*3/);
  });

  test("lists each module, so that an edit can be named", async () => {
    const before = (await open()).resolve("puppet", "a").listing.modules;
    edit("src/heavy.ts", "* 2", "* 5");
    const after = (await open()).resolve("puppet", "a").listing.modules;
    expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual(["src/heavy.ts"]);
  });

  test("knows what each of its modules is bundled into", async () => {
    const { partsOf } = (await open()).resolve("puppet", "a");
    expect(partsOf!("src/heavy.ts")).toEqual(["the stage"]);
    expect(partsOf!("src/thread.ts")).toEqual(["its thread"]);
    expect(partsOf!("src/engine-a.ts")).toEqual(["engine a"]);
    expect(partsOf!("src/engine-b.ts")).toEqual([]);
  });

  test("is taken from the build where there are no sources", async () => {
    const before = (await open("no sources")).resolve("puppet", "a").digest;
    edit("src/heavy.ts", "* 2", "* 5");
    expect((await open("no sources")).resolve("puppet", "a").digest).toBe(before);
  });
});

test("a stage that imports a computed name is refused, since nobody can follow it", async () => {
  edit("src/thread.ts", "export", "const name = process.argv[2]!; await import(name); export");
  await expect(open()).rejects.toThrow(/src\/thread.ts: it imports a module whose name is computed/);
});
