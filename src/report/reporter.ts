/**
 * What turns the events of a run into something to read. A reporter is a state machine: events in, text out. It holds no
 * process, clock or timer of its own; the edge of the program hands them in, and tests hand in fakes.
 */
import type { RunEvent } from "../events.ts";

export interface Reporter {
  /** Takes the next event. Bound: may be passed on as a function. */
  readonly onEvent: (event: RunEvent) => void;
  /** Leaves the output clean: nothing half drawn, cursor shown, no timer pending. Safe to call at any moment, and twice. */
  readonly close: () => void;
}

export interface ReporterOutput {
  write(text: string): void;
  /** Width in character cells, now. Asked before each drawing, since windows change. */
  columns(): number;
  /** Height in character cells, now. Left out: the live view keeps within 24. */
  rows?(): number;
  /** Text can be overwritten. */
  readonly isTerminal: boolean;
  readonly color: boolean;
}

/** Calls `callback` once, `delayMs` from now, unless the returned function was called before. */
export type Schedule = (callback: () => void, delayMs: number) => () => void;

/** How text views are laid out. */
export interface TextStyle {
  readonly color: boolean;
  readonly columns: number;
}

/** What the reporters that write for people have in common. */
export interface ReportSettings {
  /** Folder of the run's visible results, as the user would type it. Left out: `artifacts/<pipeline>[@<profile>]`. */
  readonly resultsFolder?: string;
  /** Path of the run's HTML report, where one is written. */
  readonly reportFile?: string;
  /** What follows `pipe show <stage>` so that it means this run, with its leading space. Left out: its profiles. */
  readonly commandSuffix?: string;
}
