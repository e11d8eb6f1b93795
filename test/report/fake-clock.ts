/** Time that passes when a test says so: `now` and `schedule` for reporters. */
import type { Schedule } from "../../src/report/reporter.ts";

export class FakeClock {
  #nowMs = 1000;
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];

  readonly now = (): number => this.#nowMs;

  readonly schedule: Schedule = (callback, delayMs) => {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass, calling what falls due, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
    }
    this.#nowMs = endMs;
  }
}
