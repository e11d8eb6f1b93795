/** One line of progress that overwrites itself in a terminal, and a line now and then elsewhere. */
import type { Progress } from "../contract.ts";
import { formatBytes } from "../report/format-bytes.ts";
import type { ReporterOutput } from "../report/reporter.ts";

export interface ProgressLine {
  readonly show: (progress: Progress) => void;
  readonly end: () => void;
}

const TERMINAL_MS = 100;
const PLAIN_MS = 5_000;
const BAR = 24;

export function createProgressLine(output: ReporterOutput, nowMs: () => number): ProgressLine {
  let shownMs = Number.NEGATIVE_INFINITY;
  let shownPhase = "";
  let open = false;
  return {
    show(progress) {
      const newPhase = progress.phase !== shownPhase;
      const now = nowMs();
      if (!newPhase && now - shownMs < (output.isTerminal ? TERMINAL_MS : PLAIN_MS)) return;
      shownMs = now;
      shownPhase = progress.phase;
      const text = describe(progress, output.isTerminal);
      if (output.isTerminal) {
        output.write(`\r\u001b[K${text.slice(0, Math.max(20, output.columns() - 1))}`);
        open = true;
      } else output.write(`${text}\n`);
    },
    end() {
      if (open) output.write("\r\u001b[K");
      open = false;
    },
  };
}

function describe({ phase, done, total, unit }: Progress, bar: boolean): string {
  const amount = (value: number) => (unit === "bytes" ? formatBytes(value) : String(value));
  if (total === undefined) return unit === "" || done === 0 ? phase : `${phase}  ${amount(done)}`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * BAR);
  const drawn = bar ? `  ${"━".repeat(filled)}${"─".repeat(BAR - filled)}` : "";
  return `${phase}${drawn}  ${Math.round(share * 100)}%  ${amount(done)} of ${amount(total)}`;
}
