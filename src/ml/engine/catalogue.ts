/**
 * Which engines there are on this machine, told without loading any: called at every start, so it reads two small files
 * and looks up one package. That an engine also computes rightly is for `self-test.ts` to say.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { EngineName } from "./engine.ts";
import { engineRoot, findInstalled, readRefusal } from "./engine-folder.ts";

export type InstalledEngineName = Exclude<EngineName, "webgpu">;

export interface EngineEntry {
  readonly name: InstalledEngineName;
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
  readonly name: InstalledEngineName;
  readonly version: string;
  readonly folder: string;
}

export interface EngineUnavailable {
  readonly problem: string;
  readonly help: string;
}

/** `root` is where engines are installed (`engineRoot`). Fastest first. */
export function listEngines(root: string = engineRoot()): readonly EngineEntry[] {
  return [describeNative(root), describeWasm(), describeCpu()];
}

/** `auto` is native where it is installed, else wasm. */
export function resolveEngine(
  setting: "auto" | InstalledEngineName,
  root: string = engineRoot(),
): EngineChoice | EngineUnavailable {
  const native = setting === "auto" ? describeNative(root) : undefined;
  const entry = native?.available === true ? native : describe(setting === "auto" ? "wasm" : setting, root);
  const { name, available, version, folder, problem, help } = entry;
  if (available) return { name, version, folder };
  return { problem: `the ${name} engine is not available: ${problem}`, help: help ?? "" };
}

function describe(name: InstalledEngineName, root: string): EngineEntry {
  switch (name) {
    case "native":
      return describeNative(root);
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
    return {
      name: "native",
      available: false,
      version: "",
      source: "",
      folder: "",
      problem: refusal?.message ?? "it is not installed",
      help: refusal?.help ?? "run `npx pipe engine install`",
    };
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

function describeWasm(): EngineEntry {
  const name = "@tensorflow/tfjs-backend-wasm";
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`${name}/package.json`);
    const { version } = require(manifest) as { version: string };
    return {
      name: "wasm",
      available: true,
      version: `TensorFlow.js wasm ${version}`,
      source: `${name} ${version}`,
      folder: join(dirname(manifest), "dist"),
    };
  } catch {
    return {
      name: "wasm",
      available: false,
      version: "",
      source: "",
      folder: "",
      problem: `the package ${name} is not installed`,
      help: "run `npm ci`",
    };
  }
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
