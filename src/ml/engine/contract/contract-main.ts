/**
 * A program of its own, like the self-test's: `contract <engine> <threads> <folder> <precision> <convolution>` runs the
 * contract suite and prints one line of JSON for each step of its progress and one for its report.
 */
import type { ConvolutionAlgorithm, EngineName, NumericPrecision } from "../engine.ts";
import { loadEngine } from "../load-engine.ts";
import { runContract } from "./run-contract.ts";

const [name = "", threads = "1", folder = "", precision = "float32", convolution = "auto"] = process.argv.slice(2);
const print = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
try {
  const createEngine = await loadEngine(name as EngineName);
  const engine = await createEngine({
    threads: Number(threads),
    precision: precision as NumericPrecision,
    convolution: convolution as ConvolutionAlgorithm,
    folder,
  });
  const report = await runContract(engine, (progress) => print({ progress }));
  await engine.close();
  print({ report });
} catch (error) {
  print({ problem: error instanceof Error ? error.message : String(error) });
}
