/**
 * A program of its own, like the self-test's: `rate <engine> <threads> <folder> <precision> <convolution>` prints
 * `{"flopsPerSecond":...}`.
 */
import type { ConvolutionAlgorithm, EngineName, NumericPrecision } from "./engine.ts";
import { loadEngine } from "./load-engine.ts";
import { measureRate } from "./rate.ts";

const [name = "", threads = "1", folder = "", precision = "float32", convolution = "auto"] = process.argv.slice(2);
const engine = await (await loadEngine(name as EngineName))({
  threads: Number(threads),
  precision: precision as NumericPrecision,
  convolution: convolution as ConvolutionAlgorithm,
  folder,
});
process.stdout.write(`${JSON.stringify({ flopsPerSecond: await measureRate(engine, () => performance.now()) })}\n`);
await engine.close();
