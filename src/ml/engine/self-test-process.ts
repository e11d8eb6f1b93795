/** Runs an engine's self-test in a process of its own. */
import type { EngineName } from "./engine.ts";
import { runEngineProgram } from "./engine-process.ts";
import type { SelfTestResult } from "./self-test.ts";

/** Loading a library from a cold disk takes some seconds. */
const TIMEOUT_MS = 120_000;

/** `program` is `self-test-main.ts`, bundled. Never rejects but when `signal` is aborted. */
export async function selfTestInProcess(
  program: string,
  engine: {
    readonly name: EngineName;
    readonly folder: string;
    readonly precision?: string;
    readonly convolution?: string;
  },
  { threads = 1, signal }: { readonly threads?: number; readonly signal?: AbortSignal } = {},
): Promise<SelfTestResult> {
  let result: SelfTestResult | undefined;
  const onLine = (line: unknown): void => {
    result = line as SelfTestResult;
  };
  const { precision = "float32", convolution = "auto" } = engine;
  const settings = { threads, arguments: [precision, convolution] };
  const ending = await runEngineProgram({ program, engine, ...settings, timeoutMs: TIMEOUT_MS, onLine, signal });
  return result ?? { ok: false, problem: `the self-test gave no result${ending === undefined ? "" : `: ${ending}`}` };
}
