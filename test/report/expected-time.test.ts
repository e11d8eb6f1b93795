/** How long a run is said to take: what can run at once counts once. */
import { expect, test } from "vitest";
import { type ExpectedStage, expectedRunMs } from "../../src/report/expected-time.ts";

const stage = (name: string, expectedMs: number, share: number, needs: readonly string[] = []): ExpectedStage => ({
  stage: name,
  expectedMs,
  share,
  needs,
});

test("a chain takes as long as its stages one after the other", () => {
  expect(expectedRunMs([stage("a", 3, 0.5), stage("b", 4, 0.5, ["a"]), stage("c", 5, 0.5, ["b"])])).toBe(12);
});

test("stages that fit beside each other do not add up, and those that need the whole machine do", () => {
  expect(expectedRunMs([stage("a", 3, 0.5), stage("b", 4, 0.5)])).toBe(4);
  expect(expectedRunMs([stage("a", 3, 1), stage("b", 4, 1)])).toBe(7);
  expect(expectedRunMs([stage("a", 3, 1 / 3), stage("b", 3, 1 / 3), stage("c", 3, 1 / 3), stage("d", 3, 1 / 3)])).toBe(
    6,
  );
});

test("what most is waited for begins first", () => {
  const stages = [stage("short", 1, 1), stage("long", 2, 1), stage("after", 10, 0.5, ["long"]), stage("side", 9, 0.5)];
  expect(expectedRunMs(stages)).toBe(13);
});

test("what runs keeps its share, and what is not among the stages is done", () => {
  const running = { ...stage("a", 5, 0.5), isRunning: true };
  expect(expectedRunMs([running, stage("b", 4, 1, ["gone"]), stage("c", 1, 0.5, ["a"])])).toBe(10);
  expect(expectedRunMs([])).toBe(0);
});

test("a need that is named twice is waited for once", () => {
  expect(expectedRunMs([stage("a", 1, 1), stage("b", 1, 1, ["a", "a"])])).toBe(2);
});
