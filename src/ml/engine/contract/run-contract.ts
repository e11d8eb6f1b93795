/** Runs the whole contract suite on an engine, without a test runner, and says op by op how well it is kept. */
import type { Engine } from "../engine.ts";
import { ContractBroken } from "./check.ts";
import { contractCases } from "./contract.ts";
import { type ContractCase, type Measure, TOLERANCES, Workbench } from "./workbench.ts";

/** One row of the table: an op such as `conv2dGradient.dx`, or a topic whose promises are kept or not, such as `memory`. */
export interface ContractRow {
  readonly op: string;
  /** Cases in which it was checked. */
  readonly cases: number;
  /** The error that used most of its tolerance, relative to the largest value expected; absent where bits are compared. */
  readonly worstError?: number;
  /** What it was held to. */
  readonly tolerance?: number;
  readonly ok: boolean;
}

export interface ContractReport {
  readonly ok: boolean;
  readonly rows: readonly ContractRow[];
  /** Cases that failed, as sentences. */
  readonly problems: readonly string[];
  readonly cases: number;
  readonly ms: number;
}

export interface ContractProgress {
  readonly done: number;
  readonly of: number;
  readonly topic: string;
}

/** Never rejects for what the engine does. `cases` is all of them but in tests of this. */
export async function runContract(
  engine: Engine,
  onProgress: (progress: ContractProgress) => void = () => {},
  cases: readonly ContractCase[] = contractCases({ keepsFloat32: true }),
): Promise<ContractReport> {
  const begun = performance.now();
  const measures = new Map<string, Measure>();
  const counts = new Map<string, number>();
  const broken = new Set<string>();
  const problems: string[] = [];
  const count = (op: string): void => void counts.set(op, (counts.get(op) ?? 0) + 1);
  for (const [done, { topic, title, body }] of cases.entries()) {
    onProgress({ done, of: cases.length, topic });
    const seen = new Set<string>();
    const onMeasure = (measure: Measure): void => {
      seen.add(measure.op);
      if (share(measure) > share(measures.get(measure.op))) measures.set(measure.op, measure);
    };
    let problem: string | undefined;
    try {
      const read = (handle: Parameters<Engine["download"]>[0]) => engine.download(handle);
      await Workbench.run({ engine, tolerance: TOLERANCES[engine.precision], read }, body, onMeasure);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      if (!(error instanceof ContractBroken)) problem = `it failed: ${problem}`;
      problems.push(`${topic}: ${title}: ${problem}`);
    }
    seen.forEach(count);
    const wrong = [...seen].some((op) => share(measures.get(op)) > 1);
    // A promise about something else than numbers: a leak, bits that differ, an op that throws.
    if (seen.size === 0 || (problem !== undefined && !wrong)) count(topic);
    if (problem !== undefined && !wrong) broken.add(topic);
  }
  const rows = [...counts].map(([op, n]): ContractRow => {
    const measure = measures.get(op);
    if (measure === undefined) return { op, cases: n, ok: !broken.has(op) };
    const { error, tolerance } = measure;
    return { op, cases: n, worstError: error, tolerance, ok: share(measure) <= 1 && !broken.has(op) };
  });
  return { ok: problems.length === 0, rows, problems, cases: cases.length, ms: performance.now() - begun };
}

/** How much of its tolerance an error used. */
function share(measure: Measure | undefined): number {
  if (measure === undefined) return -1;
  const used = measure.error / measure.tolerance;
  return Number.isNaN(used) ? Number.POSITIVE_INFINITY : used;
}
