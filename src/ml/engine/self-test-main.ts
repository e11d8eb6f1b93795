/**
 * A program of its own: `self-test <engine> <threads> <folder> [precision] [convolution]` runs the self-test and prints its result as one line of
 * JSON. A process of its own, because the native engine needs its environment from the start and because a library that
 * does not fit this machine ends the process it is loaded into.
 */
import type { ConvolutionAlgorithm, EngineName, NumericPrecision } from "./engine.ts";
import { loadEngine } from "./load-engine.ts";
import { type SelfTestResult, selfTest } from "./self-test.ts";

const [name = "", threads = "1", folder = "", precision = "float32", convolution = "auto"] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await run())}\n`);

async function run(): Promise<SelfTestResult> {
  try {
    const engine = await (await loadEngine(name as EngineName))({
      threads: Number(threads),
      precision: precision as NumericPrecision,
      convolution: convolution as ConvolutionAlgorithm,
      folder,
    });
    const result = await selfTest(engine);
    await engine.close();
    return result;
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}
