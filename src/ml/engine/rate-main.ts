/** A program of its own, like the self-test's: `rate <engine> <threads> <folder>` prints `{"flopsPerSecond":...}`. */
import type { CreateEngine } from "./engine.ts";
import { measureRate } from "./rate.ts";

const [name = "", threads = "1", folder = ""] = process.argv.slice(2);
const createEngine: CreateEngine =
  name === "native"
    ? (await import("./native/native-engine.ts")).createEngine
    : name === "wasm"
      ? (await import("./wasm/wasm-engine.ts")).createEngine
      : (await import("./cpu/cpu-engine.ts")).createEngine;
const engine = await createEngine({ threads: Number(threads), precision: "float32", folder });
process.stdout.write(`${JSON.stringify({ flopsPerSecond: await measureRate(engine, () => performance.now()) })}\n`);
await engine.close();
