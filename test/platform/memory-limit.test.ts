import { expect, test } from "vitest";
import { memoryLimit } from "../../src/platform/memory-limit.ts";

const meminfo =
  "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nSwapTotal:       2000000 kB\nSwapFree:        1000000 kB\n";
const total = 16_000_000 * 1024;

test("is what the machine has left, swap included", () => {
  expect(memoryLimit({ constrained: 0, meminfo, total })).toBe(9_000_000 * 1024);
});

test("is what a control group grants, where that is less", () => {
  expect(memoryLimit({ constrained: 2 ** 30, meminfo, total })).toBe(2 ** 30);
});

test("a control group without a limit says an absurd number, which counts for nothing", () => {
  expect(memoryLimit({ constrained: 2 ** 64, meminfo, total })).toBe(9_000_000 * 1024);
});

test("is all that the machine has, where it does not say what is left", () => {
  expect(memoryLimit({ constrained: 0, meminfo: undefined, total })).toBe(total);
});

test("is something here", () => {
  expect(memoryLimit()).toBeGreaterThan(2 ** 27);
});
