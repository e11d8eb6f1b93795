/** How fast a training goes. Read from a clock that is handed in; nothing computed depends on it. */
import type { Loader } from "../data/loader.ts";

export interface TrainingSpeed {
  /** Since this execution began. */
  readonly elapsedMs: number;
  /** Over optimiser steps alone, without evaluations and checkpoints. */
  readonly imagesPerSecond: number | undefined;
  /** Over whole epochs, with everything in them. */
  readonly secondsPerEpoch: number | undefined;
  /** Of the time of the steps, the part in which no batch was ready. */
  readonly waitingShare: number | undefined;
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
  #mark = 0;
  #epochStart = 0;
  #epochs = 0;
  #epochMs = 0;

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
    this.#waitedBefore = this.#loader.waitedMs();
  }

  epochDone(): void {
    this.#epochMs += this.#now() - this.#epochStart;
    this.#epochs++;
  }

  speed(): TrainingSpeed {
    const elapsedMs = this.#now() - this.#start;
    const stepMs = this.#stepMs;
    return {
      elapsedMs,
      imagesPerSecond: stepMs > 0 ? (1000 * this.#images) / stepMs : undefined,
      secondsPerEpoch: this.#epochs > 0 ? this.#epochMs / this.#epochs / 1000 : undefined,
      waitingShare: stepMs > 0 ? Math.min(1, this.#waitedMs / stepMs) : undefined,
      etaMs: this.#steps > 0 ? (elapsedMs / this.#steps) * (this.#totalSteps - this.#steps) : undefined,
    };
  }
}
