/**
 * How far a stage is and how long it will take, out of its progress events.
 *
 * Events that count the same things up to the same total are one stretch, whatever their phases are called; what counts
 * something else, or begins again, is a new one. The rate is taken from the first event of the stretch on, so a training
 * that resumes at epoch 40 is not thought to have done 39 in a second.
 */
import type { Progress } from "../contract.ts";

interface Mark {
  readonly fraction: number;
  readonly atMs: number;
}

interface Stretch {
  readonly counts: string;
  readonly first: Mark;
  readonly last: Mark;
  /** As the stage itself says. */
  readonly etaMs: number | undefined;
}

export class ProgressMeter {
  #stretch: Stretch | undefined;

  update({ done, total, unit, figures }: Progress, atMs: number): void {
    if (total === undefined || total <= 0) {
      this.#stretch = undefined;
      return;
    }
    const counts = `${total} ${unit}`;
    const last = { fraction: Math.min(1, Math.max(0, done / total)), atMs };
    const before = this.#stretch;
    const goesOn = before !== undefined && before.counts === counts && last.fraction >= before.last.fraction;
    const etaSeconds = figures?.etaSeconds;
    const etaMs = etaSeconds !== undefined && Number.isFinite(etaSeconds) ? etaSeconds * 1000 : undefined;
    this.#stretch = { counts, first: goesOn ? before.first : last, last, etaMs };
  }

  /** 0 to 1, or undefined while the end is not known. */
  get fraction(): number | undefined {
    return this.#stretch?.last.fraction;
  }

  /** Milliseconds to go at `nowMs`, or undefined until there is a rate to judge by. */
  remainingMs(nowMs: number): number | undefined {
    if (this.#stretch === undefined) return undefined;
    const { first, last, etaMs } = this.#stretch;
    const gained = last.fraction - first.fraction;
    const spentMs = last.atMs - first.atMs;
    const atLastMs = etaMs ?? (gained > 0 && spentMs >= 1000 ? (spentMs * (1 - last.fraction)) / gained : undefined);
    return atLastMs === undefined ? undefined : Math.max(0, atLastMs - (nowMs - last.atMs));
  }
}
