/** The code of executions in a store: kept once, laid out as it was, and never a reason to fail. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ResolvedCode } from "../../src/identity/code-library.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { openStoredCode } from "../../src/identity/stored-code.ts";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { openTemporaryStore } from "../temporary-store.ts";

let refusal: string | undefined;
let written: number;
const files: FileSystem = {
  ...nodeFileSystem,
  writeNew(path, bytes) {
    if (refusal !== undefined) throw Object.assign(new Error(refusal), { code: refusal });
    written++;
    nodeFileSystem.writeNew(path, bytes);
  },
};

let store: ReturnType<typeof openTemporaryStore>;
beforeEach(() => {
  refusal = undefined;
  written = 0;
  store = openTemporaryStore(files);
});
afterEach(() => store.remove());

const TEXTS = {
  "one/stage.mjs": "stage",
  "one/packages/a.mjs": "a",
  "two/loader.mjs": "loader",
  "three/wasm.mjs": "wasm",
};

/** Under `installed/`. */
function install(): ResolvedCode {
  const at = (name: string) => join(store.root, "installed", name);
  for (const [name, text] of Object.entries(TEXTS)) {
    mkdirSync(join(at(name), ".."), { recursive: true });
    writeFileSync(at(name), text);
  }
  const bundles = Object.entries(TEXTS).map(([name, text]) => ({ path: at(name), digest: digestBytes(text), name }));
  return {
    digest: "",
    packages: {},
    listing: { modules: {} },
    entry: at("one/stage.mjs"),
    assets: { loader: at("two/loader.mjs") },
    engine: at("three/wasm.mjs"),
    bundles,
  };
}

test("every file is kept once, and laid out again it is what it was, where it was beside the others", async () => {
  const code = install();
  const kept = store.codeStore.keep(code)!;
  expect(written).toBe(4);
  expect(store.codeStore.keep(code)).toEqual(kept);
  expect(written).toBe(4);
  rmSync(join(store.root, "installed"), { recursive: true });
  expect(store.codeStore.keep(code)).toEqual(kept);

  const folder = join(store.root, "again");
  expect(await store.codeStore.inspect(kept)).toBeUndefined();
  await store.codeStore.layOut(kept, folder);
  for (const [name, text] of Object.entries(TEXTS)) expect(readFileSync(join(folder, name), "utf8")).toBe(text);
  expect(openStoredCode(kept, folder, code)).toMatchObject({
    entry: join(folder, "one/stage.mjs"),
    assets: { loader: join(folder, "two/loader.mjs") },
    engine: join(folder, "three/wasm.mjs"),
  });
});

test.each([
  ["a file of it is gone", () => rmSync(join(store.root, "installed", "one"), { recursive: true })],
  ["a file of it is another one by now", () => writeFileSync(join(store.root, "installed", "two/loader.mjs"), "new")],
  ["the disk is full", () => (refusal = "ENOSPC")],
  ["the disk is read-only", () => (refusal = "EROFS")],
])("where %s it is not kept, and nobody fails", (_, happen) => {
  const code = install();
  happen();
  expect(store.codeStore.keep(code)).toBeUndefined();
  expect(readdirSync(join(store.root, ".store", "tmp"))).toEqual([]);
});

test("what was damaged in the store is named, and kept anew by the next execution", async () => {
  const code = install();
  const kept = store.codeStore.keep(code)!;
  const path = store.layout.object(kept.files["two/loader.mjs"]!.digest);
  nodeFileSystem.setMode(path, "writable");
  writeFileSync(path, "LOADER");
  expect((await store.codeStore.inspect(kept))?.message).toContain("is damaged");
  expect(store.codeStore.keep(code)).toEqual(kept);
  expect(await store.codeStore.inspect(kept)).toBeUndefined();
});
