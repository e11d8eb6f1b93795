/** A program of its own, like the self-test's: `rate <engine> <threads> <folder>` prints `{"flopsPerSecond":...}`. */
import type { EngineName } from "./engine.ts";
import { loadEngine } from "./load-engine.ts";
import { measureRate } from "./rate.ts";

const [name = "", threads = "1", folder = ""] = process.argv.slice(2);
const engine = await (await loadEngine(name as EngineName))({ threads: Number(threads), precision: "float32", folder });
process.stdout.write(`${JSON.stringify({ flopsPerSecond: await measureRate(engine, () => performance.now()) })}\n`);
await engine.close();
