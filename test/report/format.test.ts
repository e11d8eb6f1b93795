import { describe, expect, it } from "vitest";
import { formatBytes } from "../../src/report/format-bytes.ts";
import { formatCount, formatPlural } from "../../src/report/format-count.ts";
import { formatDuration, formatWholeSeconds } from "../../src/report/format-duration.ts";
import { figureText, formatNumber } from "../../src/report/format-figure.ts";

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [45.4, "45 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [2_449, "2.4 s"],
    [9_949, "9.9 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 m 00 s"],
    [65_000, "1 m 05 s"],
    [3_599_400, "59 m 59 s"],
    [3_599_600, "1 h 00 m"],
    [7_385_000, "2 h 03 m"],
    [86_399_000, "1 d 00 h"],
    [100_800_000, "1 d 04 h"],
    [-5, "0 ms"],
  ])("of %d ms read %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

  it("that are watched have no fractions", () => {
    expect([0, 999, 1000, 59_999, 60_000, 65_400].map(formatWholeSeconds)).toEqual([
      "0 s",
      "0 s",
      "1 s",
      "59 s",
      "1 m 00 s",
      "1 m 05 s",
    ]);
  });
});

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [1_234_567, "1.2 MB"],
    [9_960_000, "10 MB"],
    [999_600, "1.0 MB"],
    [170_052_171, "170 MB"],
    [2.5e12, "2.5 TB"],
  ])("of %d bytes read %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe("counts", () => {
  it("have their thousands apart", () => {
    expect([7, 999, 1000, 21_797_672, -1234].map(formatCount)).toEqual(["7", "999", "1,000", "21,797,672", "-1,234"]);
  });

  it("agree with their noun", () => {
    expect([formatPlural(1, "stage"), formatPlural(0, "stage"), formatPlural(7000, "stage")]).toEqual([
      "1 stage",
      "0 stages",
      "7,000 stages",
    ]);
  });
});

describe("figures take their unit from their name", () => {
  it.each([
    ["loss", 2.31415, "loss 2.314"],
    ["loss", 0.012345, "loss 0.0123"],
    ["loss", Number.NaN, "loss NaN"],
    ["trainAccuracy", 0.51234, "trainAccuracy 51.23 %"],
    ["top1", 1, "top1 100.00 %"],
    ["waitingShare", 0.0123, "waitingShare 1.23 %"],
    ["bestAccuracyEpoch", 3, "bestAccuracyEpoch 3"],
    ["imagesPerSecond", 210.4, "210 img/s"],
    ["imagesPerSecond", 4.26, "4.3 img/s"],
    ["bytesPerSecond", 12_300_000, "12 MB/s"],
    ["peakMemoryBytes", 1_234_567_890, "peakMemory 1.2 GB"],
    ["secondsPerEpoch", 75, "secondsPerEpoch 1 m 15 s"],
    ["waitedMs", 120, "waited 120 ms"],
    ["learningRate", 0.0005, "lr 0.0005"],
    ["parameters", 21_797_672, "parameters 21,797,672"],
  ])("%s of %d reads %s", (name, value, text) => expect(figureText(name, value)).toBe(text));

  it("and numbers keep four digits", () => {
    expect([0, 1.5, 123.456, 12_345.6, 1.23456e-7, 1.23456e20].map(formatNumber)).toEqual([
      "0",
      "1.500",
      "123.5",
      "12,346",
      "1.235e-7",
      "123500000000000000000",
    ]);
  });
});
