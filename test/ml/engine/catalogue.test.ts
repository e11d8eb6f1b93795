import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listEngines, resolveEngine } from "../../../src/ml/engine/catalogue.ts";
import {
  chooseInstalled,
  type EngineManifest,
  engineFolderName,
  engineRoot,
  findInstalled,
  recordRefusal,
} from "../../../src/ml/engine/engine-folder.ts";
import { temporaryFolder } from "../../bundle-worker.ts";

let root: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  root = temporaryFolder();
});
afterEach(() => root.remove());

const place = (changes: Partial<EngineManifest> = {}): string => {
  const manifest: EngineManifest = {
    format: "tfpipe/engine/1",
    name: "native",
    device: "cpu",
    tfjsNode: "4.22.0",
    tensorflow: "2.18.1",
    nodeAbi: process.versions.modules,
    platform: process.platform,
    architecture: process.arch,
    source: { kind: "wheel", file: "tensorflow-cpu==2.18.1", sha256: "00" },
    libraries: {},
    ...changes,
  };
  const name = engineFolderName(manifest);
  mkdirSync(join(root.path, name));
  writeFileSync(join(root.path, name, "manifest.json"), JSON.stringify(manifest));
  chooseInstalled(root.path, name);
  return join(root.path, name);
};

test("auto is wasm until the native engine is installed", () => {
  expect(resolveEngine("auto", root.path)).toMatchObject({ name: "wasm" });
  const folder = place();
  expect(resolveEngine("auto", root.path)).toEqual({ name: "native", version: "TensorFlow 2.18.1", folder });
});

test("asking for the native engine where there is none is a problem with a way out", () => {
  expect(resolveEngine("native", root.path)).toEqual({
    problem: "the native engine is not available: it is not installed",
    help: "run `npx pipe engine install`",
  });
});

test("why an installation failed is told with the engine, until one succeeds", () => {
  recordRefusal(root.path, { missing: "pip", message: "there is no pip", help: "install pip" });
  expect(listEngines(root.path)[0]).toMatchObject({
    available: false,
    problem: "there is no pip",
    help: "install pip",
  });
  place();
  expect(listEngines(root.path)[0]).toMatchObject({ available: true, source: "tensorflow-cpu==2.18.1" });
});

test.each([
  ["another Node", { nodeAbi: "1" }],
  ["another processor", { architecture: "mips" }],
  ["another system", { platform: "sunos" }],
] as const)("an engine built for %s is not used", (_, changes) => {
  place(changes);
  expect(findInstalled(root.path)).toBeUndefined();
});

test("of two installed versions the one installed last is used", () => {
  place();
  const other = place({ tensorflow: "2.21.0" });
  expect(findInstalled(root.path)?.folder).toBe(other);
});

test("engines live in the user's cache folder, or where TFPIPE_HOME says", () => {
  expect(engineRoot({ TFPIPE_HOME: "/there" }, "linux", "/home/u")).toBe("/there/engines");
  expect(engineRoot({ XDG_CACHE_HOME: "/cache" }, "linux", "/home/u")).toBe("/cache/tfpipe/engines");
  expect(engineRoot({}, "linux", "/home/u")).toBe("/home/u/.cache/tfpipe/engines");
  expect(engineRoot({}, "darwin", "/Users/u")).toBe("/Users/u/Library/Caches/tfpipe/engines");
});
