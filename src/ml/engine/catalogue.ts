/**
 * Which engines there are on this machine, told without loading any: called at every start, so it reads two small files
 * and looks up one package. That an engine also computes rightly is for `self-test.ts` to say.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";
import type { EngineName } from "./engine.ts";
import { engineRoot, findInstalled, readRefusal } from "./engine-folder.ts";
import { findVulkanDrivers } from "./webgpu/vulkan-drivers.ts";

export interface EngineEntry {
  readonly name: EngineName;
  readonly available: boolean;
  /** As the engine itself will say, such as `TensorFlow 2.18.1`; empty where it is not available. */
  readonly version: string;
  /** Where the library that computes came from. */
  readonly source: string;
  /** For `EngineOptions.folder`; empty where the engine needs no files. */
  readonly folder: string;
  readonly problem?: string;
  readonly help?: string;
}

export interface EngineChoice {
  readonly name: EngineName;
  readonly version: string;
  readonly folder: string;
}

export interface EngineUnavailable {
  readonly problem: string;
  readonly help: string;
}

/** `root` is where engines are installed (`engineRoot`). In the order of what to try. */
export function listEngines(root: string = engineRoot()): readonly EngineEntry[] {
  return [describeNative(root), describeWebgpu(), describeWasm(), describeCpu()];
}

/** `auto` is native where it is installed, else wasm: never webgpu, whose bits depend on the GPU that happens to be there. */
export function resolveEngine(
  setting: "auto" | EngineName,
  root: string = engineRoot(),
): EngineChoice | EngineUnavailable {
  const native = setting === "auto" ? describeNative(root) : undefined;
  const entry = native?.available === true ? native : describe(setting === "auto" ? "wasm" : setting, root);
  const { name, available, version, folder, problem, help } = entry;
  if (available) return { name, version, folder };
  return { problem: `the ${name} engine is not available: ${problem}`, help: help ?? "" };
}

function describe(name: EngineName, root: string): EngineEntry {
  switch (name) {
    case "native":
      return describeNative(root);
    case "webgpu":
      return describeWebgpu();
    case "wasm":
      return describeWasm();
    case "cpu":
      return describeCpu();
  }
}

function describeNative(root: string): EngineEntry {
  const installed = findInstalled(root);
  if (installed === undefined) {
    const refusal = readRefusal(root);
    return unavailable(
      "native",
      refusal?.message ?? "it is not installed",
      refusal?.help ?? "run `npx pipe engine install`",
    );
  }
  const { manifest, folder } = installed;
  const { source } = manifest;
  return {
    name: "native",
    available: true,
    version: `TensorFlow ${manifest.tensorflow}`,
    source: `${source.kind === "wheel" ? source.file : source.folder}${manifest.device === "gpu" ? " (GPU)" : ""}`,
    folder,
  };
}

function describeWebgpu(): EngineEntry {
  const backend = findPackage("@tensorflow/tfjs-backend-webgpu");
  const dawn = findPackage("webgpu");
  if (backend === undefined || dawn === undefined) {
    const missing = backend === undefined ? "@tensorflow/tfjs-backend-webgpu" : "webgpu";
    return unavailable(
      "webgpu",
      `the optional package ${missing} is not installed`,
      "run `npm ci` without omitting it",
    );
  }
  const [system, processor] = [platform(), arch()];
  const library = `${system}-${system === "darwin" ? "universal" : processor}.dawn.node`;
  if (!existsSync(join(dawn.folder, "dist", library)))
    return unavailable("webgpu", `Dawn is not built for ${system} ${processor}`, "use the native or wasm engine");
  const drivers = system === "linux" ? findVulkanDrivers() : [];
  if (system === "linux" && drivers.length === 0)
    return unavailable(
      "webgpu",
      "this machine has no Vulkan driver",
      "install the one of your GPU; scripts/install-swiftshader.sh fetches one in software, to try and to test with",
    );
  const through = drivers.length === 0 ? "" : ` through ${drivers.map((path) => basename(path)).join(", ")}`;
  return {
    name: "webgpu",
    available: true,
    version: `TensorFlow.js webgpu ${backend.version}`,
    source: `Dawn of webgpu ${dawn.version}${through}`,
    folder: "",
  };
}

/** What else makes the webgpu engine's bits, as far as can be told without loading it: Dawn, and the machine's drivers. */
export function webgpuBuild(): string {
  const drivers = platform() === "linux" ? findVulkanDrivers().map((path) => basename(path, ".json")) : [];
  return [`dawn-${findPackage("webgpu")?.version}`, ...drivers].join(" ");
}

function describeWasm(): EngineEntry {
  const name = "@tensorflow/tfjs-backend-wasm";
  const found = findPackage(name);
  if (found === undefined) return unavailable("wasm", `the package ${name} is not installed`, "run `npm ci`");
  return {
    name: "wasm",
    available: true,
    version: `TensorFlow.js wasm ${found.version}`,
    source: `${name} ${found.version}`,
    folder: join(found.folder, "dist"),
  };
}

function describeCpu(): EngineEntry {
  return {
    name: "cpu",
    available: true,
    version: "tfpipe cpu 1",
    source: "tfpipe itself, in double precision",
    folder: "",
  };
}

function unavailable(name: EngineName, problem: string, help: string): EngineEntry {
  return { name, available: false, version: "", source: "", folder: "", problem, help };
}

function findPackage(name: string): { readonly folder: string; readonly version: string } | undefined {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`${name}/package.json`);
    return { folder: dirname(manifest), version: (require(manifest) as { version: string }).version };
  } catch {
    return undefined;
  }
}
