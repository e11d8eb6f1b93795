/**
 * A run as a live view in a terminal. Stages that are done stand above as settled lines, which are written once and
 * scroll away like any text; below them a block of lines (running stages, waiting ones, a footer) is redrawn in place.
 *
 *   ✓ fetch      restored
 *   ✓ model      ran       1.2 s
 *   ⠹ train      ━━━━━━━━━━━━────────────  52%  epoch 3/6  loss 1.230  210 img/s    1 m 05 s  ETA 58 s
 *   · evaluate   waits for train
 *     2 of 5 stages done  1 m 07 s  about 1 m 10 s to go
 *
 * What must stay true: the cursor stands at the start of the line below the block after every write; every block line
 * is shorter than the window, so that the block takes as many rows as it has lines; at most ten drawings a second, but
 * for what ends the run.
 */
import type { RunEvent, RunStarted } from "../events.ts";
import type { StageRecord } from "../record.ts";
import { createPalette, terminalControl } from "./ansi.ts";
import { formatPlural } from "./format-count.ts";
import { formatWholeSeconds } from "./format-duration.ts";
import { renderSummary, runLabel } from "./render-summary.ts";
import type { Reporter, ReporterOutput, ReportSettings, Schedule } from "./reporter.ts";
import { retryText } from "./retry-text.ts";
import { RunView } from "./run-view.ts";
import { nameWidthFor, runningLines, type StageLineLayout, settledLine, waitingLine } from "./stage-line.ts";
import { padEnd, printableLine, textWidth, truncate, wrapText } from "./text-width.ts";

export interface TerminalReporterOptions extends ReportSettings {
  readonly output: ReporterOutput;
  readonly schedule: Schedule;
  /** Milliseconds on a clock that does not jump, from any origin. */
  readonly now: () => number;
  /** `all` writes every line of every stage above the live block; `last` (where left out) shows a stage's newest below it. */
  readonly logs?: "last" | "all";
}

const frameMs = 100;
/** Elapsed times move although nothing happens. */
const idleFrameMs = 500;
const fewStages = 30;

export function createTerminalReporter(options: TerminalReporterOptions): Reporter {
  const reporter = new TerminalReporter(options);
  return { onEvent: (event) => reporter.onEvent(event), close: () => reporter.close() };
}

class TerminalReporter {
  readonly #options: TerminalReporterOptions;
  readonly #view = new RunView();
  /** `now()` at the beginning of the run. */
  #originMs = 0;
  /** Until something happens but fresh stages, nothing is drawn: a run with nothing to do is only its summary. */
  #opened = false;
  readonly #held: StageRecord[] = [];
  /** Lines for above the block that no drawing has taken yet. */
  #unsettled: string[] = [];
  /** Widths of the block's lines as they stand in the window now. */
  #block: readonly number[] = [];
  #layoutNow: (StageLineLayout & { readonly start: RunStarted | undefined }) | undefined;
  #lastFrameMs = Number.NEGATIVE_INFINITY;
  #cancelFrame: (() => void) | undefined;
  #frameDueMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: TerminalReporterOptions) {
    this.#options = options;
  }

  onEvent(event: RunEvent): void {
    if (this.#closed) return;
    this.#view.apply(event);
    const { palette } = this.#layout();
    switch (event.type) {
      case "run-started":
        this.#originMs = this.#options.now() - event.atMs;
        break;
      case "stage-started":
      case "stage-waiting":
      case "stage-progressed":
        this.#open();
        break;
      case "stage-logged":
        this.#open();
        if (this.#options.logs === "all")
          this.#settle([`${palette.dim(`${event.stage} │`)} ${printableLine(event.line)}`]);
        break;
      case "stage-measured":
        break;
      case "stage-warned":
        this.#warn(`${event.stage}: ${event.line}`);
        break;
      case "stage-retrying":
        this.#warn(`${event.stage}: ${retryText(event)}`);
        break;
      case "warned":
        this.#warn(event.help === undefined ? event.message : `${event.message}\nhelp: ${event.help}`);
        break;
      case "stage-finished":
        if (event.record.outcome === "fresh" && !this.#opened) this.#held.push(event.record);
        else {
          this.#open();
          this.#settle(this.#settledLines([event.record]));
        }
        break;
      case "run-interrupted":
        this.#open();
        this.#draw();
        break;
      case "run-finished":
        this.#finish();
        break;
      default:
        event satisfies never;
    }
  }

  /** Takes the block away and leaves a line for each stage that was at work, where the run did not end by itself. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelFrame?.();
    if (!this.#opened || this.#view.record !== undefined) return;
    const layout = this.#layout();
    const stopped = this.#view.running.map(({ stage, meter }) => {
      const at = meter.fraction === undefined ? "" : ` at ${Math.floor(meter.fraction * 100)}%`;
      const name = padEnd(truncate(stage, layout.nameWidth), layout.nameWidth);
      return `${layout.palette.yellow("■")} ${layout.palette.bold(name)}  ${layout.palette.yellow(`stopped${at}`)}`;
    });
    this.#unsettled.push(...stopped);
    this.#options.output.write(this.#replacedBlock([]) + terminalControl.showCursor);
  }

  /** Writes the head and what was held back, and begins to draw. */
  #open(): void {
    if (this.#opened) {
      this.#requestFrame(frameMs);
      return;
    }
    this.#opened = true;
    const { palette } = this.#layout();
    const start = this.#view.start;
    this.#options.output.write(terminalControl.hideCursor);
    const head =
      start === undefined
        ? []
        : [palette.bold(`${runLabel(start)}`) + palette.dim(`  ${formatPlural(start.stages.length, "stage")}`)];
    this.#settle([...head, ...this.#settledLines(this.#held)]);
  }

  #warn(text: string): void {
    this.#open();
    const { palette, columns } = this.#layout();
    const [first = "", ...rest] = wrapText(text.split("\n").map(printableLine).join("\n"), columns - 3);
    this.#settle([`${palette.yellow("!")} ${first}`, ...rest.map((line) => `  ${line}`)]);
  }

  /** Of many stages, the fresh ones are only counted. */
  #settledLines(records: readonly StageRecord[]): string[] {
    const told = this.#view.stageCount > fewStages ? records.filter(({ outcome }) => outcome !== "fresh") : records;
    const layout = this.#layout();
    return told.map((record) => settledLine(record, layout));
  }

  #finish(): void {
    this.#cancelFrame?.();
    const { output } = this.#options;
    const record = this.#view.record;
    if (record === undefined) return;
    const style = { color: output.color, columns: output.columns() };
    const summary = renderSummary({ record, warnings: this.#view.warnings }, style, this.#options);
    const end = this.#opened ? `${this.#replacedBlock([])}\n${summary}\n${terminalControl.showCursor}` : `${summary}\n`;
    output.write(end);
  }

  #requestFrame(delayMs: number): void {
    if (this.#closed || this.#view.record !== undefined) return;
    const now = this.#options.now();
    const dueMs = Math.max(now, this.#lastFrameMs + delayMs);
    // The earlier of two wishes counts.
    if (this.#cancelFrame !== undefined && this.#frameDueMs <= dueMs) return;
    this.#cancelFrame?.();
    this.#frameDueMs = dueMs;
    this.#cancelFrame = this.#options.schedule(() => {
      this.#cancelFrame = undefined;
      this.#draw();
    }, dueMs - now);
  }

  /** Writes lines above the block with the next drawing, for good. */
  #settle(lines: readonly string[]): void {
    this.#unsettled.push(...lines);
    this.#requestFrame(frameMs);
  }

  /** One write: the old block away, settled lines in its place, the new block below. */
  #draw(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = undefined;
    const layout = this.#layout();
    const nowMs = this.#options.now();
    const lines = this.#blockLines(nowMs - this.#originMs, layout);
    this.#options.output.write(this.#replacedBlock(lines));
    this.#lastFrameMs = nowMs;
    this.#requestFrame(idleFrameMs);
  }

  #blockLines(nowMs: number, layout: StageLineLayout): string[] {
    const rows = Math.max(3, (this.#options.output.rows?.() ?? 24) - 2);
    const running = this.#view.running.flatMap((stage) =>
      runningLines(stage, { nowMs, remainingMs: this.#view.stageRemainingMs(stage, nowMs) }, layout),
    );
    const waiting = this.#view.waiting;
    const waitingRows = rows - 1 - running.length;
    if (waiting.length > 0 && waiting.length <= waitingRows) {
      const lines = waiting.map((stage) => waitingLine(stage, this.#view.waitsFor(stage), layout));
      return [...running, ...lines, this.#footer(nowMs, layout)];
    }
    if (waiting.length === 0) return [...running.slice(0, rows - 1), this.#footer(nowMs, layout)];
    // What does not fit into the window is counted; with very many at work, even some of those are left out.
    const first = waiting.slice(0, Math.max(0, waitingRows - 1));
    const more = layout.palette.dim(`· ${formatPlural(waiting.length - first.length, "more stage")} waiting`);
    return [
      ...running.slice(0, rows - 2),
      ...first.map((stage) => waitingLine(stage, this.#view.waitsFor(stage), layout)),
      more,
      this.#footer(nowMs, layout),
    ];
  }

  #footer(nowMs: number, { palette, columns }: StageLineLayout): string {
    if (this.#view.interrupted) {
      const text = "stopping: finishing the step, saving a checkpoint (Ctrl-C again: at once)";
      return palette.yellow(truncate(`  ${text}`, columns - 1));
    }
    const remaining = this.#view.remainingMs(nowMs);
    const parts = [
      `${this.#view.finished.size} of ${formatPlural(this.#view.stageCount, "stage")} done`,
      formatWholeSeconds(nowMs),
      ...(remaining === undefined || remaining < 1000 ? [] : [`about ${formatWholeSeconds(remaining)} to go`]),
    ];
    return palette.dim(truncate(`  ${parts.join("  ")}`, columns - 1));
  }

  #layout(): StageLineLayout {
    const { output } = this.#options;
    const columns = Math.max(20, output.columns());
    if (this.#layoutNow?.columns !== columns || this.#layoutNow.start !== this.#view.start) {
      const { start } = this.#view;
      const nameWidth = nameWidthFor(start?.stages ?? [], columns);
      this.#layoutNow = { palette: createPalette(output.color), columns, nameWidth, start };
    }
    return this.#layoutNow;
  }

  /** What takes the block away, writes settled lines, and puts `lines` there as the new block. */
  #replacedBlock(lines: readonly string[]): string {
    const { clearToLineEnd, clearToScreenEnd } = terminalControl;
    const text = [...this.#unsettled, ...lines].map((line) => `${line}${clearToLineEnd}\n`).join("");
    const replaced = this.#cursorToBlock() + text + clearToScreenEnd;
    this.#unsettled = [];
    this.#block = lines.map(textWidth);
    return replaced;
  }

  /** Up to the block's first row. In a window made narrower since, its lines take several rows each. */
  #cursorToBlock(): string {
    const columns = Math.max(1, this.#options.output.columns());
    const rows = this.#block.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return terminalControl.lineStart + terminalControl.up(rows);
  }
}
