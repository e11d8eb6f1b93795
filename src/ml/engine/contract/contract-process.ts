/** Runs the contract suite in a process of its own. */
import type { ConvolutionAlgorithm, EngineName, NumericPrecision } from "../engine.ts";
import { runEngineProgram } from "../engine-process.ts";
import { unsupportedSetting } from "../unsupported-setting.ts";
import type { ContractProgress, ContractReport } from "./run-contract.ts";

/** Half a minute where shaders are compiled in software, seconds elsewhere; this is for a library that hangs. */
const TIMEOUT_MS = 1_800_000;

interface Line {
  readonly progress?: ContractProgress;
  readonly report?: ContractReport;
  readonly problem?: string;
}

export interface ContractSettings {
  readonly precision: NumericPrecision;
  readonly convolution: ConvolutionAlgorithm;
}

/** All settings under which an engine computes differently: it keeps the contract under each. */
export function contractSettings(engine: EngineName): readonly ContractSettings[] {
  const settings: readonly ContractSettings[] = [
    { precision: "float32", convolution: "auto" },
    { precision: "float32", convolution: "winograd" },
    { precision: "float32", convolution: "direct" },
    { precision: "bfloat16", convolution: "auto" },
  ];
  const able = settings.filter((each) => unsupportedSetting(engine, each) === undefined);
  // Where there is no other way, auto is the direct one.
  const choice = able.some(({ convolution }) => convolution === "winograd");
  return able.filter(({ convolution }) => choice || convolution === "auto");
}

export interface ContractRun {
  /** `contract-main.ts`, bundled. */
  readonly program: string;
  readonly engine: { readonly name: EngineName; readonly folder: string };
  readonly threads: number;
  readonly settings: ContractSettings;
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
  const { precision, convolution } = run.settings;
  const ending = await runEngineProgram({
    ...run,
    arguments: [precision, convolution],
    timeoutMs: TIMEOUT_MS,
    onLine,
  });
  return last.report ?? { ok: false, problem: last.problem ?? ending ?? "it gave no result" };
}
