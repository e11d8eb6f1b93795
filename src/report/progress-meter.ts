/**
 * How far a stage is and how long it will take, out of its progress events.
 *
 * `done` of `total` counts within a phase. A phase that carries a cycle, `epoch 3/50`, is one of so many equal ones, so
 * the whole goes from 0 to 1 once over all of them. Other phases that count the same things up to the same total are one
 * stretch, and what counts something else, or begins again, is a new one. The rate is taken from
 * the first event of the stretch on, so a training that resumes at epoch 40 is not thought to have done 39 in a second.
 */
import type { Progress } from "../contract.ts";

export class ProgressMeter {
  #stretch: string | undefined;
  #first = { fraction: 0, atMs: 0 };
  #last: { fraction: number; atMs: number } | undefined;

  update(progress: Progress, atMs: number): void {
    const cycle = /\b(\d+)\/(\d+)\b/.exec(progress.phase);
    const inner = progress.total === undefined || progress.total <= 0 ? undefined : progress.done / progress.total;
    const [index, count] = cycle === null ? [1, 1] : [Number(cycle[1]), Number(cycle[2])];
    const stretch = cycle === null ? `${progress.total} ${progress.unit}` : `${count} cycles`;
    const fraction =
      count < 1 || (cycle === null && inner === undefined) ? undefined : (index - 1 + clamp(inner ?? 0)) / count;
    if (fraction === undefined) {
      this.#stretch = undefined;
      this.#last = undefined;
      return;
    }
    const fell = cycle === null && this.#last !== undefined && fraction < this.#last.fraction;
    if (stretch !== this.#stretch || fell) {
      this.#stretch = stretch;
      this.#first = { fraction: clamp(fraction), atMs };
      this.#last = this.#first;
      return;
    }
    // A second pass within one cycle (validation after training) does not take the bar back.
    this.#last = { fraction: Math.max(clamp(fraction), this.#last?.fraction ?? 0), atMs };
  }

  /** 0 to 1, or undefined while the end is not known. */
  get fraction(): number | undefined {
    return this.#last?.fraction;
  }

  /** Milliseconds to go at `nowMs`, or undefined until there is a rate to judge by. */
  remainingMs(nowMs: number): number | undefined {
    if (this.#last === undefined) return undefined;
    const gained = this.#last.fraction - this.#first.fraction;
    const spentMs = this.#last.atMs - this.#first.atMs;
    if (gained <= 0 || spentMs < 1000) return undefined;
    return Math.max(0, (spentMs * (1 - this.#last.fraction)) / gained - (nowMs - this.#last.atMs));
  }
}

function clamp(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
