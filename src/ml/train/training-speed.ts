/** How fast a training goes. Read from a clock that is handed in; nothing computed depends on it. */
import type { Loader } from "../data/loader.ts";

export interface TrainingSpeed {
  /** Since this execution began. */
  readonly elapsedMs: number;
  /** Over optimiser steps alone, without evaluations and checkpoints. */
  readonly imagesPerSecond: number | undefined;
  /** Epochs that came to their end. */
  readonly epochs: number;
  /** Over whole epochs, with everything in them. */
  readonly secondsPerEpoch: number | undefined;
  /** Of the time of the steps, the part in which no batch was ready. */
  readonly waitingShare: number | undefined;
  /** That part, as time. */
  readonly waitedMs: number;
  /** Of all the time, the part in which the training stood still for a checkpoint: copied, written, and taken into the store. */
  readonly checkpointShare: number | undefined;
  /** Until the last epoch's end, at the pace so far. */
  readonly etaMs: number | undefined;
}

export class Stopwatch {
  readonly #now: () => number;
  readonly #loader: Loader;
  readonly #totalSteps: number;
  readonly #start: number;
  #steps = 0;
  #images = 0;
  #stepMs = 0;
  #waitedMs = 0;
  #waitedBefore = 0;
  #inSteps = false;
  #mark = 0;
  #epochStart = 0;
  #epochs = 0;
  #epochMs = 0;
  #checkpointMs = 0;

  /** `totalSteps` are left to do. */
  constructor(now: () => number, loader: Loader, totalSteps: number) {
    this.#now = now;
    this.#loader = loader;
    this.#totalSteps = totalSteps;
    this.#start = now();
  }

  startEpoch(): void {
    this.#epochStart = this.#mark = this.#now();
    this.#waitedBefore = this.#loader.waitedMs();
    this.#inSteps = true;
  }

  stepDone(images: number): void {
    const now = this.#now();
    this.#stepMs += now - this.#mark;
    this.#mark = now;
    this.#images += images;
    this.#steps++;
  }

  /** The epoch's steps are done; what follows counts for the epoch alone. */
  stepsDone(): void {
    this.#waitedMs += this.#loader.waitedMs() - this.#waitedBefore;
    this.#inSteps = false;
  }

  /** What `save` takes is a checkpoint's time, and no step's. */
  async checkpoint<T>(save: () => Promise<T>): Promise<T> {
    const start = this.#now();
    const saved = await save();
    const tookMs = this.#now() - start;
    this.#checkpointMs += tookMs;
    this.#mark += tookMs;
    return saved;
  }

  epochDone(): void {
    this.#epochMs += this.#now() - this.#epochStart;
    this.#epochs++;
  }

  speed(): TrainingSpeed {
    const elapsedMs = this.#now() - this.#start;
    const stepMs = this.#stepMs;
    // Within an epoch its own waits so far count too: the time of its steps does.
    const waitedMs = this.#waitedMs + (this.#inSteps ? this.#loader.waitedMs() - this.#waitedBefore : 0);
    return {
      elapsedMs,
      imagesPerSecond: stepMs > 0 ? (1000 * this.#images) / stepMs : undefined,
      secondsPerEpoch: this.#epochs > 0 ? this.#epochMs / this.#epochs / 1000 : undefined,
      waitingShare: stepMs > 0 ? Math.min(1, waitedMs / stepMs) : undefined,
      waitedMs,
      checkpointShare: elapsedMs > 0 && this.#steps > 0 ? this.#checkpointMs / elapsedMs : undefined,
      etaMs: this.#steps > 0 ? (elapsedMs / this.#steps) * (this.#totalSteps - this.#steps) : undefined,
      epochs: this.#epochs,
    };
  }
}

/** Shares and times below these are no reason to change anything. */
const WORTH_SAYING = { share: 0.03, ms: 2000 };

/** What to do where the steps waited for images for a part of their time that is worth saying; else undefined. */
export function waitingAdvice({ waitingShare = 0, waitedMs, imagesPerSecond }: TrainingSpeed): string | undefined {
  if (waitingShare <= WORTH_SAYING.share || waitedMs < WORTH_SAYING.ms) return undefined;
  const rate = imagesPerSecond === undefined ? "" : ` (at ${Math.round(imagesPerSecond)} img/s)`;
  return (
    `steps waited for images ${(100 * waitingShare).toFixed(1)} % of their time, ${Math.round(waitedMs / 1000)} s in all: ` +
    `the loader is slower than the steps${rate}. Resize images once, when they are fetched (\`imageSize\`), rather than in ` +
    "every epoch; leave out costly transforms; or leave it a core, by fewer `engine.threads`"
  );
}
