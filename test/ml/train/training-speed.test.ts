import { describe, expect, it } from "vitest";
import { Stopwatch, type TrainingSpeed, waitingAdvice } from "../../../src/ml/train/training-speed.ts";

/** A clock and a loader that the test moves. */
function bench(steps = 10) {
  let now = 1000;
  let waited = 500;
  const loader = {
    batchesPerEpoch: 1,
    imagesPerEpoch: 1,
    epoch: () => {
      throw new Error("not asked for images here");
    },
    waitedMs: () => waited,
    close: async () => {},
  };
  const stopwatch = new Stopwatch(() => now, loader, steps);
  return {
    stopwatch,
    step(ms: number, waitedMs: number) {
      now += ms;
      waited += waitedMs;
      stopwatch.stepDone(32);
    },
    pass(ms: number, waitedMs = 0) {
      now += ms;
      waited += waitedMs;
    },
  };
}

describe("the speed of a training", () => {
  it("is of the steps alone; waiting counts within them, at any moment", () => {
    const { stopwatch, step, pass } = bench();
    pass(700, 300);
    stopwatch.startEpoch();
    step(100, 40);
    expect(stopwatch.speed()).toMatchObject({ waitedMs: 40, waitingShare: 0.4 });
    step(100, 0);
    expect(stopwatch.speed()).toMatchObject({ waitedMs: 40, waitingShare: 0.2, imagesPerSecond: 320 });
    stopwatch.stepsDone();
    // An evaluation's, and a checkpoint's, is not the steps'.
    pass(1000, 1000);
    stopwatch.epochDone();
    stopwatch.startEpoch();
    step(200, 80);
    stopwatch.stepsDone();
    expect(stopwatch.speed()).toMatchObject({ waitedMs: 120, waitingShare: 0.3, imagesPerSecond: 240 });
    expect(stopwatch.speed().elapsedMs).toBe(2100);
  });

  it("takes the time of checkpoints from no step, and says their part of all", async () => {
    const { stopwatch, step, pass } = bench();
    expect(stopwatch.speed().checkpointShare).toBeUndefined();
    stopwatch.startEpoch();
    step(300, 0);
    // Within the epoch, while the next step waits.
    expect(await stopwatch.checkpoint(async () => pass(100))).toBeUndefined();
    step(300, 0);
    stopwatch.stepsDone();
    await stopwatch.checkpoint(async () => pass(300));
    expect(stopwatch.speed()).toMatchObject({ checkpointShare: 0.4, elapsedMs: 1000 });
    expect(stopwatch.speed().imagesPerSecond).toBeCloseTo(64 / 0.6, 6);
  });

  it("says nothing of waiting where no step was done", () => {
    const { stopwatch, pass } = bench();
    pass(10, 10);
    expect(stopwatch.speed()).toMatchObject({ waitingShare: undefined, imagesPerSecond: undefined, waitedMs: 0 });
  });
});

describe("advice about waiting", () => {
  const speed = (waitingShare: number | undefined, waitedMs: number): TrainingSpeed => ({
    elapsedMs: 100_000,
    imagesPerSecond: 81.6,
    epochs: 2,
    secondsPerEpoch: 50,
    waitingShare,
    waitedMs,
    checkpointShare: 0,
    etaMs: 0,
  });

  it("is given above 3 %, with the figures and what to do", () => {
    const advice = waitingAdvice(speed(0.124, 12_400));
    expect(advice).toContain("steps waited for images 12.4 % of their time, 12 s in all");
    expect(advice).toContain("(at 82 img/s)");
    expect(advice).toMatch(/`imageSize`.*`engine\.threads`/);
  });

  it("is not given where there is little to gain", () => {
    expect(waitingAdvice(speed(0.03, 60_000))).toBeUndefined();
    expect(waitingAdvice(speed(0.9, 1999))).toBeUndefined();
    expect(waitingAdvice(speed(undefined, 0))).toBeUndefined();
  });
});
