import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { createPlainReporter } from "../../src/report/plain-reporter.ts";
import { failedRun, freshRun, stageStarted, successfulRun, trainProgress } from "./recorded-run.ts";

function report(events: readonly RunEvent[]): string {
  const parts: string[] = [];
  const reporter = createPlainReporter({ output: { write: (part) => void parts.push(part), columns: () => 100 } });
  for (const event of events) reporter.onEvent(event);
  reporter.close();
  return parts.join("");
}

describe("plain lines", () => {
  it("tell a whole run with times, reasons and the summary", () => {
    expect(report(successfulRun)).toMatchInlineSnapshot(`
      "[0.0s] resnet34 (quick): 5 stages
      [0.0s] fetch  fresh
      [0.1s] normalize  warning: declared mean 0.49 is far from the measured 0.41
      [0.1s] normalize  restored
      [0.1s] train  runs: never run
      [0.1s] train | Epoch 1 | Batch 1 | Loss 2.30
      [0.2s] train  epoch 1/4  loss 2.400  210 img/s  1/400 steps  ETA 59 s
      [8.0s] train  epoch 1/4  loss 2.400  210 img/s  50/400 steps  ETA 55 s
      [16.0s] train  epoch 2/4  loss 1.200  210 img/s  101/400 steps  ETA 47 s
      [48.0s] train  epoch 3/4  loss 0.8000  210 img/s  300/400 steps  ETA 15 s
      [65.1s] train  ran  1 m 05 s  bestEpoch 3  validAccuracy 53.45 %
      [65.2s] evaluate  runs: never run
      [69.9s] evaluate  ran  4.7 s  testLoss 1.402  testAccuracy 51.23 %
      [70.0s] plot  runs: never run
      [72.1s] plot  ran  2.1 s
      resnet34 (quick): 3 ran, 1 restored, 1 fresh in 1 m 15 s
        train     bestEpoch 3  validAccuracy 53.45 %
        evaluate  testLoss 1.402  testAccuracy 51.23 %
        ! normalize: declared mean 0.49 is far from the measured 0.41
        results   artifacts/resnet34@quick/
        next      pipe show evaluate --profile quick
      "
    `);
  });

  it("tell a failure once with everything about it", () => {
    expect(report(failedRun)).toMatchInlineSnapshot(`
      "[0.0s] resnet34 (quick): 5 stages
      [0.0s] fetch  fresh
      [0.1s] normalize  restored
      [0.1s] train  runs: never run
      [12.4s] train  failed  12 s  the loss became NaN at step 312, first in layer3.4.conv2
      [12.4s] evaluate  skipped  train failed
      [12.4s] plot  skipped  train failed
      resnet34 (quick): 1 failed, 2 skipped, 1 restored, 1 fresh in 13 s

      train failed after 12 s
        the loss became NaN at step 312, first in layer3.4.conv2
        help: lower optimizer.learningRate
        last output:
        │ Batch 311 | Loss 88.2
        │ Batch 312 | Loss nan

        results   artifacts/resnet34@quick/
        next      mend it and run the same command again: finished stages are kept
      "
    `);
  });

  it("are two when there was nothing to do", () => {
    expect(report(freshRun)).toMatchInlineSnapshot(`
      "✓ resnet34 (quick): 5 stages, all fresh, nothing to do (118 ms)
        results  artifacts/resnet34@quick/
      "
    `);
  });

  it("hold no escape code and no carriage return, whatever a stage writes", () => {
    const line = "\u001b[2Khalf\rwhole\u0007";
    const text = report([
      stageStarted("train", 0),
      { type: "stage-logged", atMs: 1, stage: "train", stream: "stderr", line },
    ]);
    expect(text).toContain("[0.0s] train | whole\n");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for control characters.
    expect(report(successfulRun) + text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it("tell progress every few seconds, but each new phase and its completion at once", () => {
    const events = [0, 1000, 2000, 4999, 5000, 9000].map((atMs) => trainProgress(3, atMs / 100, atMs));
    const text = report([
      ...events,
      trainProgress(4, 50, 9100),
      trainProgress(4, 100, 9150),
      trainProgress(4, 100, 9200),
    ]);
    expect(text.split("\n").map((line) => line.slice(0, 23))).toEqual([
      "[0.0s] train  epoch 3/4",
      "[5.0s] train  epoch 3/4",
      "[9.1s] train  epoch 4/4",
      "[9.2s] train  epoch 4/4",
      "",
    ]);
  });
});
