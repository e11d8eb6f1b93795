/**
 * A program of its own: `self-test <engine> <threads> <folder>` runs the self-test and prints its result as one line of
 * JSON. A process of its own, because the native engine needs its environment from the start and because a library that
 * does not fit this machine ends the process it is loaded into.
 */
import type { CreateEngine } from "./engine.ts";
import { type SelfTestResult, selfTest } from "./self-test.ts";

const [name = "", threads = "1", folder = ""] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await run())}\n`);

async function run(): Promise<SelfTestResult> {
  try {
    const engine = await (await load())({ threads: Number(threads), precision: "float32", folder });
    const result = await selfTest(engine);
    await engine.close();
    return result;
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}

async function load(): Promise<CreateEngine> {
  switch (name) {
    case "native":
      return (await import("./native/native-engine.ts")).createEngine;
    case "wasm":
      return (await import("./wasm/wasm-engine.ts")).createEngine;
    case "cpu":
      return (await import("./cpu/cpu-engine.ts")).createEngine;
    default:
      throw new Error(`there is no engine called "${name}"`);
  }
}
