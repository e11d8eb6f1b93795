/**
 * What more threads would give a stage that is about to compute for long on a machine with more cores than it uses. The
 * number of threads makes bits, so it is a setting and never the machine's: all that can be done is to say so, measured.
 */
import type { EnginePort, ResolvedEngine } from "./engine-port.ts";

/** Nobody changes a setting for less than a minute's work. */
const LONG_STAGE_MS = 60_000;
/** For one of the two measurements, which stand before the work: half a second each where nothing else runs. */
const LIMIT_MS = 1_500;
/** What is worth other bits. */
const WORTHWHILE = 1.2;

/**
 * Asked before each stage that computes, when nothing else does; answers at most once, with one line, and measures at most
 * once. Undefined where more threads would give little, or where that cannot be told.
 */
export type ThreadAdviser = (engine: ResolvedEngine, expectedMs: number | undefined) => Promise<string | undefined>;

export function createThreadAdviser(port: EnginePort, cores: number): ThreadAdviser {
  let asked = false;
  return async (engine, expectedMs = 0) => {
    const { name, threads, precision, convolution } = engine;
    // Only TensorFlow's own kernels share one op among threads.
    if (asked || name !== "native" || cores <= threads || expectedMs <= LONG_STAGE_MS) return undefined;
    asked = true;
    const wider = port.resolve({ name, threads: cores, precision, convolution });
    if ("problem" in wider) return undefined;
    const rate = await port.flopsPerSecond(engine, LIMIT_MS);
    const rateOfAll = rate === undefined ? undefined : await port.flopsPerSecond(wider, LIMIT_MS);
    if (rate === undefined || rateOfAll === undefined || rateOfAll < WORTHWHILE * rate) return undefined;
    return (
      `this machine has ${cores} cores and engine.threads is ${threads}: ${cores} would compute about ` +
      `${(rateOfAll / rate).toFixed(1)} times as fast (other bits: threads are part of the key)`
    );
  };
}
