/**
 * Loads the addon of @tensorflow/tfjs-node from an engine folder: TensorFlow's C API as a handful of functions.
 *
 * Only the addon is loaded, not the package's JavaScript around it: that costs 0.2 s and 40 MB more, and calls
 * `util.isNullOrUndefined`, which Node 23 no longer has. TensorFlow reads its environment once, when it is loaded, so a
 * process that uses this engine must have been started with `nativeEnvironment(threads)`.
 */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** What an op is told beside its inputs. `type` is one of the binding's `TF_ATTR_*`. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: string | number | boolean | readonly number[];
}

export interface OpOutput {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
}

/** The addon's functions. Tensors are numbered; every number that is given out must be deleted. */
export interface NativeBinding {
  readonly TF_Version: string;
  /** May share the array's memory: never touch the array again. */
  createTensor(shape: readonly number[], dtype: number, data: Float32Array | Int32Array | Uint8Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array;
  executeOp(op: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): OpOutput[];
  isUsingGpuDevice(): boolean;
  getNumOfTensors(): number;
}

/** The packages that carry the addon, in the order in which an engine folder is searched. */
export const NATIVE_PACKAGES = ["@tensorflow/tfjs-node", "@tensorflow/tfjs-node-gpu"] as const;

/**
 * What of TensorFlow's settings moves bits, besides its threads, as keys name it and as the library reads it. Unasked,
 * TensorFlow takes oneDNN's convolutions on some processors and its own on others (they round differently), and on a GPU
 * ways that add up in any order.
 */
const NUMERICS = [
  { name: "oneDnn", variable: "TF_ENABLE_ONEDNN_OPTS" },
  { name: "deterministicOps", variable: "TF_DETERMINISTIC_OPS" },
] as const;

/** What enters the key of whatever is computed here. All of it is on, and nobody can choose otherwise. */
export function nativeNumerics(): Readonly<Record<string, string>> {
  return Object.fromEntries(NUMERICS.map(({ name }) => [name, "on"]));
}

/** What a process must have in its environment, or the library computes other bits. */
function requiredEnvironment(threads: number): Record<string, string> {
  return {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: String(threads),
    ...Object.fromEntries(NUMERICS.map(({ variable }) => [variable, "1"])),
  };
}

/** The environment that a process needs which will load the native engine with so many threads. */
export function nativeEnvironment(threads: number): Record<string, string> {
  return {
    ...requiredEnvironment(threads),
    TF_CPP_MIN_LOG_LEVEL: "2",
    // Memory in large pages where the system gives them (glibc 2.35): a step touches gigabytes of new memory.
    GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
  };
}

/** Path of the addon in an engine folder, or undefined where it was not built. */
export function findAddon(folder: string): string | undefined {
  for (const name of NATIVE_PACKAGES) {
    const library = join(folder, "node_modules", name, "lib");
    const builds = existsSync(library) ? readdirSync(library).filter((entry) => /^napi-v\d+$/.test(entry)) : [];
    builds.sort((a, b) => Number(b.slice("napi-v".length)) - Number(a.slice("napi-v".length)));
    for (const build of builds) {
      const addon = join(library, build, "tfjs_binding.node");
      if (existsSync(addon)) return addon;
    }
  }
  return undefined;
}

/** Throws when the folder holds no addon, or when this process was not started with `nativeEnvironment(threads)`. */
export function loadBinding(folder: string, threads: number): NativeBinding {
  const addon = findAddon(folder);
  if (addon === undefined) {
    throw new Error(`no native engine in ${folder}: run \`npx pipe engine install\``);
  }
  for (const [name, value] of Object.entries(requiredEnvironment(threads))) {
    if (process.env[name] !== value) {
      throw new Error(
        `the native engine needs ${name}=${value} in the environment its process starts with, and it is ` +
          `${process.env[name] === undefined ? "not set" : `"${process.env[name]}"`}: TensorFlow reads it only once`,
      );
    }
  }
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  return createRequire(addon)(addon) as NativeBinding;
}
