/** Runs the contract suite in a process of its own. */
import type { EngineName } from "../engine.ts";
import { runEngineProgram } from "../engine-process.ts";
import type { ContractProgress, ContractReport } from "./run-contract.ts";

/** Half a minute where shaders are compiled in software, seconds elsewhere; this is for a library that hangs. */
const TIMEOUT_MS = 1_800_000;

interface Line {
  readonly progress?: ContractProgress;
  readonly report?: ContractReport;
  readonly problem?: string;
}

export interface ContractRun {
  /** `contract-main.ts`, bundled. */
  readonly program: string;
  readonly engine: { readonly name: EngineName; readonly folder: string };
  readonly threads: number;
  readonly onProgress: (progress: ContractProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Never rejects but when `signal` is aborted. */
export async function contractInProcess(
  run: ContractRun,
): Promise<ContractReport | { readonly ok: false; readonly problem: string }> {
  let last: Line = {};
  const onLine = (line: unknown): void => {
    last = line as Line;
    if (last.progress !== undefined) run.onProgress(last.progress);
  };
  const ending = await runEngineProgram({ ...run, timeoutMs: TIMEOUT_MS, onLine });
  return last.report ?? { ok: false, problem: last.problem ?? ending ?? "it gave no result" };
}
