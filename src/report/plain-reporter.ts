/**
 * A run as plain lines, for logs and pipes: no colour, nothing redrawn, each line good by itself.
 *
 *   [12.3s] train  epoch 3/6  loss 1.230  210 img/s  400/840 steps  ETA 13 s
 *
 * Progress is thinned by the events' own times: a stage's line at most every few seconds, but each new phase at once.
 */
import type { RunEvent, StageProgressed } from "../events.ts";
import type { StageRecord } from "../record.ts";
import { formatPlural } from "./format-count.ts";
import { formatWholeSeconds } from "./format-duration.ts";
import { renderSummary, runLabel } from "./render-summary.ts";
import type { Reporter, ReporterOutput, ReportSettings } from "./reporter.ts";
import { retryText } from "./retry-text.ts";
import { RunView } from "./run-view.ts";
import { progressTexts, settledTail } from "./stage-line.ts";
import { printableLine } from "./text-width.ts";

export interface PlainReporterOptions extends ReportSettings {
  readonly output: Pick<ReporterOutput, "write" | "columns">;
  /** At least so long between two progress lines of one stage and phase. 5000 where left out. */
  readonly progressEveryMs?: number;
}

export function createPlainReporter(options: PlainReporterOptions): Reporter {
  const { output, progressEveryMs = 5000 } = options;
  const view = new RunView();
  const lastProgress = new Map<string, { readonly phase: string; readonly atMs: number; readonly complete: boolean }>();
  // A run in which every stage is fresh is only its summary, so fresh stages are told once something else happens.
  let heldBack: (() => void)[] | undefined = [];

  const line = (atMs: number, text: string): void =>
    output.write(`${`[${(atMs / 1000).toFixed(1)}s] ${text}`.trimEnd()}\n`);
  const tell = (atMs: number, text: string): void => {
    for (const held of heldBack ?? []) held();
    heldBack = undefined;
    line(atMs, text);
  };
  const hold = (atMs: number, text: string): void => {
    if (heldBack === undefined) line(atMs, text);
    else heldBack.push(() => line(atMs, text));
  };

  const tellProgress = ({ stage, atMs, progress }: StageProgressed): void => {
    const last = lastProgress.get(stage);
    const complete = progress.done === progress.total;
    const news = last === undefined || last.phase !== progress.phase || (complete && !last.complete);
    if (!news && atMs - last.atMs < progressEveryMs) return;
    lastProgress.set(stage, { phase: progress.phase, atMs, complete });
    const running = view.running.find((other) => other.stage === stage);
    const remainingMs = running === undefined ? undefined : view.stageRemainingMs(running, atMs);
    const eta = remainingMs === undefined || complete ? [] : [`ETA ${formatWholeSeconds(remainingMs)}`];
    tell(atMs, [stage, ...progressTexts(progress), ...eta].join("  "));
  };

  const onEvent = (event: RunEvent): void => {
    view.apply(event);
    switch (event.type) {
      case "run-started":
        hold(event.atMs, `${runLabel(event)}: ${formatPlural(event.stages.length, "stage")}`);
        break;
      case "stage-started":
        tell(
          event.atMs,
          event.attempt === undefined
            ? `${event.stage}  runs: ${event.reason}`
            : `${event.stage}  runs again: attempt ${event.attempt}`,
        );
        break;
      case "stage-progressed":
        tellProgress(event);
        break;
      case "stage-logged":
        tell(event.atMs, `${event.stage} | ${printableLine(event.line)}`);
        break;
      case "stage-warned":
        tell(event.atMs, `${event.stage}  warning: ${printableLine(event.line)}`);
        break;
      case "stage-measured":
        // Metrics are in the stage's last line, measurements in its record.
        break;
      case "stage-waiting":
        tell(event.atMs, `${event.stage}  waits for ${printableLine(event.holder)}`);
        break;
      case "stage-retrying":
        tell(event.atMs, `${event.stage}  ${printableLine(retryText(event))}`);
        break;
      case "stage-finished":
        (event.record.outcome === "fresh" ? hold : tell)(event.atMs, finishedText(event.record));
        break;
      case "warned":
        tell(event.atMs, `warning: ${event.message}${event.help === undefined ? "" : ` (${event.help})`}`);
        break;
      case "run-interrupted":
        tell(event.atMs, "interrupted: finishing the current step and saving a checkpoint");
        break;
      case "run-finished": {
        const style = { color: false, columns: output.columns() };
        output.write(`${renderSummary({ record: event.record, warnings: view.warnings }, style, options)}\n`);
        break;
      }
      default:
        event satisfies never;
    }
  };
  return { onEvent, close: () => {} };
}

function finishedText(record: StageRecord): string {
  const tail = settledTail(record);
  return [record.stage, record.outcome, ...(tail === "" ? [] : [tail])].join("  ");
}
