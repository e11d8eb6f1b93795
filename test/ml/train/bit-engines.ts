/**
 * The engines whose bits are compared, as a training opens them; without `openEngine` where one is not installed, and then
 * the title says so. TensorFlow reads its environment once: a process that imports this must not have loaded it before.
 */
import { resolveEngine } from "../../../src/ml/engine/catalogue.ts";
import type { CreateEngine, Engine } from "../../../src/ml/engine/engine.ts";
import { createEngine as createNative, nativeEnvironment } from "../../../src/ml/engine/native/native-engine.ts";
import { createEngine as createWasm } from "../../../src/ml/engine/wasm/wasm-engine.ts";

const THREADS = 2;

export interface BitEngine {
  readonly name: "native" | "wasm";
  readonly title: string;
  readonly openEngine?: () => Promise<Engine>;
}

function bitEngine(name: "native" | "wasm", create: CreateEngine): BitEngine {
  const found = resolveEngine(name);
  if ("problem" in found) return { name, title: `the ${name} engine (not checked: ${found.problem})` };
  if (name === "native") Object.assign(process.env, nativeEnvironment(THREADS));
  return {
    name,
    title: `the ${name} engine`,
    openEngine: () => create({ threads: THREADS, precision: "float32", folder: found.folder }),
  };
}

export const BIT_ENGINES: readonly BitEngine[] = [bitEngine("native", createNative), bitEngine("wasm", createWasm)];
