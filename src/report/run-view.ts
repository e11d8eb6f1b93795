/**
 * The state of a run as its events tell it: what is waiting, running and done. Reporters for people draw from this; it
 * draws nothing and asks no clock.
 */
import type { Progress } from "../contract.ts";
import type { RunEvent, RunStarted, Warned } from "../events.ts";
import type { PlannedStage, RunRecord, StageRecord } from "../record.ts";
import { type ExpectedStage, expectedRunMs } from "./expected-time.ts";
import { ProgressMeter } from "./progress-meter.ts";
import { retryText } from "./retry-text.ts";
import { printableLine } from "./text-width.ts";

export interface RunningStage {
  readonly stage: string;
  readonly startedAtMs: number;
  readonly expectedMs: number | undefined;
  readonly meter: ProgressMeter;
  readonly progress?: Progress;
  /** Newest line it wrote, printable. */
  readonly lastLine?: string;
  /** Who holds its fingerprint, while it waits for another process. */
  readonly holder?: string;
}

export class RunView {
  #start: RunStarted | undefined;
  readonly #planned = new Map<string, PlannedStage>();
  readonly #running = new Map<string, RunningStage>();
  readonly #finished = new Map<string, StageRecord>();
  readonly #warnings: Warned[] = [];
  #interrupted = false;
  #record: RunRecord | undefined;

  apply(event: RunEvent): void {
    switch (event.type) {
      case "run-started":
        this.#start = event;
        for (const planned of event.stages) this.#planned.set(planned.stage, planned);
        break;
      case "stage-started":
        this.#change(event.stage, event.atMs, { holder: undefined });
        break;
      case "stage-waiting":
        this.#change(event.stage, event.atMs, { holder: event.holder });
        break;
      case "stage-progressed": {
        const running = this.#change(event.stage, event.atMs, { progress: event.progress });
        running.meter.update(event.progress, event.atMs);
        break;
      }
      case "stage-retrying": {
        // The next attempt begins from nothing.
        const { stage, startedAtMs, expectedMs } = this.#change(event.stage, event.atMs, {});
        const lastLine = printableLine(retryText(event));
        this.#running.set(stage, { stage, startedAtMs, expectedMs, meter: new ProgressMeter(), lastLine });
        break;
      }
      case "stage-logged": {
        const lastLine = printableLine(event.line);
        if (lastLine.trim() !== "") this.#change(event.stage, event.atMs, { lastLine });
        break;
      }
      case "stage-warned":
      case "stage-measured":
        break;
      case "stage-finished":
        this.#running.delete(event.stage);
        this.#finished.set(event.stage, event.record);
        break;
      case "warned":
        this.#warnings.push(event);
        break;
      case "run-interrupted":
        this.#interrupted = true;
        break;
      case "run-finished":
        this.#record = event.record;
        this.#running.clear();
        break;
      default:
        event satisfies never;
    }
  }

  get start(): RunStarted | undefined {
    return this.#start;
  }

  get stageCount(): number {
    return this.#planned.size;
  }

  /** In the order they were started. */
  get running(): readonly RunningStage[] {
    return [...this.#running.values()];
  }

  get finished(): ReadonlyMap<string, StageRecord> {
    return this.#finished;
  }

  /** Planned, not begun and not done, in the order of the plan. */
  get waiting(): readonly PlannedStage[] {
    return [...this.#planned.values()].filter(({ stage }) => !this.#running.has(stage) && !this.#finished.has(stage));
  }

  /** About the run or the cache as a whole. */
  get warnings(): readonly Warned[] {
    return this.#warnings;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  get record(): RunRecord | undefined {
    return this.#record;
  }

  /** What a waiting stage still needs. */
  waitsFor(planned: PlannedStage): readonly string[] {
    return planned.needs.filter((need) => this.#planned.has(need) && !this.#finished.has(need));
  }

  /** Milliseconds until `running` is done, as its own progress or else its last execution tells; undefined when neither does. */
  stageRemainingMs(running: RunningStage, nowMs: number): number | undefined {
    const measured = running.meter.remainingMs(nowMs);
    if (measured !== undefined) return measured;
    if (running.expectedMs === undefined) return undefined;
    const remaining = running.expectedMs - (nowMs - running.startedAtMs);
    // Past its expected end there is nothing honest to say.
    return remaining > 0 ? remaining : undefined;
  }

  /** Milliseconds until all is done, or undefined when a stage's part in it is not known. */
  remainingMs(nowMs: number): number | undefined {
    const expected: ExpectedStage[] = [];
    for (const running of this.#running.values()) {
      const expectedMs = this.stageRemainingMs(running, nowMs);
      if (expectedMs === undefined) return undefined;
      const { needs = [], share = 1 } = this.#planned.get(running.stage) ?? {};
      expected.push({ stage: running.stage, needs, expectedMs, share, isRunning: true });
    }
    for (const planned of this.waiting) {
      if (planned.decision === "fresh" || planned.decision === "restore") continue;
      if (planned.expectedMs === undefined) return undefined;
      expected.push({ ...planned, expectedMs: planned.expectedMs, share: planned.share ?? 1 });
    }
    return expectedRunMs(expected);
  }

  #change(
    stage: string,
    atMs: number,
    change: { progress?: Progress; lastLine?: string; holder?: string | undefined },
  ): RunningStage {
    const before = this.#running.get(stage) ?? {
      stage,
      startedAtMs: atMs,
      expectedMs: this.#planned.get(stage)?.expectedMs,
      meter: new ProgressMeter(),
    };
    const { holder, ...others } = { ...before, ...change };
    const after: RunningStage = holder === undefined ? others : { ...others, holder };
    this.#running.set(stage, after);
    return after;
  }
}
