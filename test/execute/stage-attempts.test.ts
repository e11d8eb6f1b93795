/** A stage's attempts: how many, how far apart, and who may use its tokens meanwhile. No process, no clock. */
import { describe, expect, test } from "vitest";
import type { ExecuteStageResult } from "../../src/execute/execute-stage.ts";
import { type AttemptOptions, attemptStage, pauseAfter } from "../../src/execute/stage-attempts.ts";

const executed = { durationMs: 1, metrics: {}, measurements: {}, warnings: [] };
const failed = (message: string, isFinal?: true): ExecuteStageResult => ({
  result: "failed",
  failure: { message, lastOutput: [] },
  ...executed,
  ...(isFinal === undefined ? {} : { isFinal }),
});
const ran = { result: "ran" } as ExecuteStageResult;

/** What happens, in order, as words; and what the stage is settled with. */
function attempt(retries: number, results: readonly ExecuteStageResult[], more: Partial<AttemptOptions> = {}) {
  const log: string[] = [];
  let settled: ExecuteStageResult | undefined;
  const hasRun = attemptStage({
    stage: { execution: { retries, cache: true, frozen: false } },
    signal: new AbortController().signal,
    clock: {
      async wait(ms) {
        log.push(`wait ${ms}`);
      },
    },
    async acquire() {
      log.push("take");
      return () => log.push("give back");
    },
    isStopped: () => false,
    async settle(ended) {
      log.push(`settle as ${ended.result}`);
      settled = ended;
    },
    async execute(number) {
      log.push(`attempt ${number}`);
      return results[number - 1]!;
    },
    onRetry: ({ attempt: number, attempts, failure, pauseMs }) =>
      log.push(`${number} of ${attempts}: ${failure.message}, ${pauseMs}`),
    ...more,
  });
  return { log, hasRun, ended: hasRun.then(() => settled) };
}

describe("a stage's attempts", () => {
  test("end with the first that succeeds; between two, others have the tokens and the pause doubles", async () => {
    const { log, ended } = attempt(5, [failed("a"), failed("b"), ran]);
    expect(await ended).toBe(ran);
    expect(log).toEqual([
      "take",
      "attempt 1",
      "give back",
      "1 of 6: a, 1000",
      "wait 1000",
      "take",
      "attempt 2",
      "give back",
      "2 of 6: b, 2000",
      "wait 2000",
      "take",
      "attempt 3",
      "settle as ran",
      "give back",
    ]);
  });

  test("end with the last one's failure", async () => {
    const { log, ended } = attempt(1, [failed("a"), failed("b")]);
    expect(await ended).toMatchObject({ result: "failed", failure: { message: "b" } });
    expect(log.filter((word) => word.startsWith("attempt"))).toEqual(["attempt 1", "attempt 2"]);
  });

  test("are one where the stage asks for no more, or where another could not end otherwise", async () => {
    expect((await attempt(0, [failed("a")]).ended)?.result).toBe("failed");
    const { log, ended } = attempt(3, [failed("its input moved", true)]);
    expect(await ended).toMatchObject({ failure: { message: "its input moved" } });
    expect(log).toEqual(["take", "attempt 1", "settle as failed", "give back"]);
  });

  test("are none where the run was stopped while the tokens were waited for", async () => {
    const { log, hasRun } = attempt(3, [ran], { isStopped: () => true });
    expect(await hasRun).toBe(false);
    expect(log).toEqual(["take", "give back"]);
  });

  test("end as interrupted where the user stops the run in a pause", async () => {
    const abort = new AbortController();
    const { ended } = attempt(3, [failed("a")], {
      signal: abort.signal,
      clock: { wait: async () => abort.abort() },
    });
    expect(await ended).toEqual({ result: "interrupted", ...executed });
  });

  test("end as failed where another stage's failure stops the run in a pause", async () => {
    let stopped = false;
    const { ended } = attempt(3, [failed("a")], {
      isStopped: () => stopped,
      clock: {
        async wait() {
          stopped = true;
        },
      },
    });
    expect(await ended).toMatchObject({ result: "failed", failure: { message: "a" } });
  });

  test("give the tokens back where an attempt throws", async () => {
    const { log, ended } = attempt(3, [], {
      execute: async () => {
        throw new Error("a bug");
      },
    });
    await expect(ended).rejects.toThrow("a bug");
    expect(log).toEqual(["take", "give back"]);
  });
});

test("pauses double up to a minute", () => {
  expect([1, 2, 3, 6, 7, 50].map(pauseAfter)).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
});
