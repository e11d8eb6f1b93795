import { describe, expect, it } from "vitest";
import { ProgressMeter } from "../../src/report/progress-meter.ts";

const epoch = (index: number, done: number) => ({
  phase: `epoch ${index}/4`,
  done: (index - 1) * 100 + done,
  total: 400,
  unit: "steps",
});

describe("the progress meter", () => {
  it("goes from 0 to 1 once over all epochs", () => {
    const meter = new ProgressMeter();
    meter.update(epoch(1, 0), 0);
    expect(meter.fraction).toBe(0);
    meter.update(epoch(3, 50), 10_000);
    expect(meter.fraction).toBe(0.625);
    expect(meter.remainingMs(10_000)).toBe(6_000);
    expect(meter.remainingMs(12_000)).toBe(4_000);
    expect(meter.remainingMs(99_000)).toBe(0);
  });

  it("judges a resumed training by what this execution did", () => {
    const meter = new ProgressMeter();
    meter.update(epoch(3, 0), 0);
    meter.update(epoch(4, 0), 10_000);
    expect(meter.remainingMs(10_000)).toBe(10_000);
  });

  it("believes a stage that knows its own ETA", () => {
    const meter = new ProgressMeter();
    meter.update({ ...epoch(1, 1), figures: { etaSeconds: 90 } }, 100);
    expect(meter.remainingMs(1_100)).toBe(89_000);
  });

  it("starts again where something else is counted", () => {
    const meter = new ProgressMeter();
    meter.update({ phase: "downloading", done: 100, total: 100, unit: "bytes" }, 5_000);
    expect(meter.fraction).toBe(1);
    meter.update({ phase: "unpacking", done: 5, total: 50, unit: "files" }, 6_000);
    expect(meter.fraction).toBe(0.1);
    expect(meter.remainingMs(6_000)).toBeUndefined();
  });

  it("goes on over phases that count up to the same total, and begins again when the count does", () => {
    const meter = new ProgressMeter();
    const drew = (chart: string, done: number) => ({ phase: `drew ${chart}`, done, total: 4, unit: "charts" });
    meter.update(drew("loss", 1), 0);
    meter.update(drew("accuracy", 3), 4_000);
    expect(meter.remainingMs(4_000)).toBe(2_000);
    meter.update(drew("loss", 1), 5_000);
    expect(meter.fraction).toBe(0.25);
    expect(meter.remainingMs(5_000)).toBeUndefined();
  });

  it("knows nothing where no end is told", () => {
    const meter = new ProgressMeter();
    meter.update({ phase: "downloading", done: 10, unit: "bytes" }, 0);
    expect(meter.fraction).toBeUndefined();
    expect(meter.remainingMs(0)).toBeUndefined();
  });

  it("gives no ETA out of the first second", () => {
    const meter = new ProgressMeter();
    meter.update(epoch(1, 0), 0);
    meter.update(epoch(1, 1), 500);
    expect(meter.remainingMs(500)).toBeUndefined();
  });
});
