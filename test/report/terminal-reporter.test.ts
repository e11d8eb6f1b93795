import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { createTerminalReporter, type TerminalReporterOptions } from "../../src/report/terminal-reporter.ts";
import { textWidth } from "../../src/report/text-width.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeTerminal } from "./fake-terminal.ts";
import {
  failedRun,
  freshRun,
  plannedStage,
  planOfFive,
  runRecord,
  runStarted,
  stageFinished,
  stageRecord,
  stageStarted,
  successfulRun,
  trainProgress,
} from "./recorded-run.ts";

function openReporter(columns: number, more: Partial<TerminalReporterOptions> = {}) {
  const terminal = new FakeTerminal(columns);
  const clock = new FakeClock();
  const reporter = createTerminalReporter({ output: terminal, schedule: clock.schedule, now: clock.now, ...more });
  const originMs = clock.now();
  /** Feeds events at their times. */
  const play = (events: readonly RunEvent[]): void => {
    for (const event of events) {
      clock.advance(originMs + event.atMs - clock.now());
      reporter.onEvent(event);
    }
  };
  return { terminal, clock, reporter, play };
}

const until = (atMs: number): readonly RunEvent[] => successfulRun.filter((event) => event.atMs <= atMs);

describe("the live view", () => {
  it("shows settled stages above, the running one with bar, figures and times, and what waits", () => {
    const { terminal, clock, play } = openReporter(120);
    play(until(48_000));
    clock.advance(500);
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  5 stages
      = fetch      fresh
      ! normalize: declared mean 0.49 is far from the measured 0.41
      ↓ normalize  restored
      ⠴ train      ━━━━━━━━━━━━━━━━━━──────  75%  epoch 3/4  loss 0.8000  210 img/s  300/400 steps       48 s  ETA 16 s
                   Epoch 1 | Batch 1 | Loss 2.30
      · evaluate   waits for train
      · plot       waits for train, evaluate
        2 of 5 stages done  48 s  about 22 s to go"
    `);
    expect(terminal.cursorVisible).toBe(false);
  });

  it("keeps every line within 80 columns and moves what does not fit to a second line", () => {
    const { terminal, clock, play } = openReporter(80);
    play(until(48_000));
    clock.advance(500);
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  5 stages
      = fetch      fresh
      ! normalize: declared mean 0.49 is far from the measured 0.41
      ↓ normalize  restored
      ⠴ train      ━━━━━━━───  75%  epoch 3/4  loss 0.8000       48 s  ETA 16 s
                   210 img/s  300/400 steps  Epoch 1 | Batch 1 | Loss 2.30
      · evaluate   waits for train
      · plot       waits for train, evaluate
        2 of 5 stages done  48 s  about 22 s to go"
    `);
  });

  it.each([30, 40, 50, 63, 64, 100, 200])("takes one row a line in a window of %d columns", (columns) => {
    const { terminal, clock, play } = openReporter(columns);
    play(until(48_000));
    clock.advance(500);
    const block = terminal.screen().split("\n").slice(-5);
    expect(block.map((line) => line.slice(0, 7))).toEqual(["⠴ train", "       ", "· evalu", "· plot ", "  2 of "]);
    for (const line of block) expect(textWidth(line)).toBeLessThan(columns);
  });

  it("leaves only settled lines and the summary at the end", () => {
    const { terminal, clock, reporter, play } = openReporter(80);
    play(successfulRun);
    reporter.close();
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  5 stages
      = fetch      fresh
      ! normalize: declared mean 0.49 is far from the measured 0.41
      ↓ normalize  restored
      ✓ train      ran       1 m 05 s  bestEpoch 3  validAccuracy 53.45 %
      ✓ evaluate   ran       4.7 s  testLoss 1.402  testAccuracy 51.23 %
      ✓ plot       ran       2.1 s

      resnet34 (quick): 3 ran, 1 restored, 1 fresh in 1 m 15 s
        train     bestEpoch 3  validAccuracy 53.45 %
        evaluate  testLoss 1.402  testAccuracy 51.23 %
        ! normalize: declared mean 0.49 is far from the measured 0.41
        results   artifacts/resnet34@quick/
        next      pipe show evaluate --profile quick"
    `);
    expect(terminal.cursorVisible).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("shows a failure with its help and the stage's last output", () => {
    const { terminal, play } = openReporter(80);
    play(failedRun);
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  5 stages
      = fetch      fresh
      ↓ normalize  restored
      ✗ train      failed    12 s  the loss became NaN at step 312, first in layer3.…
      - evaluate   skipped   train failed
      - plot       skipped   train failed

      resnet34 (quick): 1 failed, 2 skipped, 1 restored, 1 fresh in 13 s

      train failed after 12 s
        the loss became NaN at step 312, first in layer3.4.conv2
        help: lower optimizer.learningRate
        last output:
        │ Batch 311 | Loss 88.2
        │ Batch 312 | Loss nan

        results   artifacts/resnet34@quick/
        next      mend it and run the same command again: finished stages are kept"
    `);
  });

  it("tells a run with nothing to do in two lines and never touches the cursor", () => {
    const { terminal, reporter, play } = openReporter(80);
    play(freshRun);
    reporter.close();
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "✓ resnet34 (quick): 5 stages, all fresh, nothing to do (118 ms)
        results  artifacts/resnet34@quick/"
    `);
    expect(terminal.writes).toBe(1);
  });

  it("draws at most ten times a second however many events come", () => {
    const { terminal, clock, play } = openReporter(80);
    play(until(100));
    const before = terminal.writes;
    const events = Array.from({ length: 1000 }, (_, index) => trainProgress(1, index / 10, 200 + index));
    play(events);
    clock.advance(200);
    expect(terminal.writes - before).toBeGreaterThanOrEqual(8);
    expect(terminal.writes - before).toBeLessThanOrEqual(12);
  });

  it("keeps up with thousands of stages", () => {
    const names = Array.from({ length: 7000 }, (_, index) => `stage${index}`);
    const { terminal, play } = openReporter(80);
    play([
      runStarted(names.map((name) => plannedStage(name, "restore"))),
      ...names.map((name, index) => stageFinished(stageRecord(name, "restored"), 1 + index / 10)),
    ]);
    expect(terminal.writes).toBeLessThanOrEqual(10);
  });

  it("lets the elapsed time move while nothing happens", () => {
    const { terminal, clock, play } = openReporter(80);
    play(until(100));
    clock.advance(30_900);
    expect(terminal.screen()).toContain("30 s");
  });

  it("stays in place with wide characters and names longer than their column", () => {
    const names = [
      "学習する非常に長い名前の段階その一",
      "a-stage-with-a-name-that-is-much-longer-than-any-reasonable-window-would-like",
    ];
    const { terminal, clock, reporter, play } = openReporter(60);
    play([runStarted(names.map((name) => plannedStage(name, "run"))), ...names.map((name) => stageStarted(name, 10))]);
    clock.advance(3000);
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  2 stages
      ⠦ 学習する非常に長い…                   2 s
      ⠦ a-stage-with-a-name…                  2 s
        0 of 2 stages done  2 s"
    `);
    play(names.map((name) => stageFinished(stageRecord(name, "ran"), 3100)));
    reporter.close();
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  2 stages
      ✓ 学習する非常に長い…   ran       1.2 s
      ✓ a-stage-with-a-name…  ran       1.2 s"
    `);
  });

  it("fits a pipeline of many stages into the window and counts the rest", () => {
    const plan = Array.from({ length: 70 }, (_, index) => plannedStage(`stage${index}`, "run"));
    const { terminal, clock, play } = openReporter(80);
    play([runStarted(plan), stageFinished(stageRecord("stage0", "fresh"), 1), stageStarted("stage1", 2)]);
    clock.advance(1000);
    const lines = terminal.screen().split("\n");
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.slice(-3)).toEqual(["· stage20  waiting", "· 49 more stages waiting", "  1 of 70 stages done  1 s"]);
    expect(lines.some((line) => line.startsWith("= stage0"))).toBe(false);
  });

  it("keeps within the window when more stages are at work than it has rows", () => {
    const names = Array.from({ length: 40 }, (_, index) => `stage${index}`);
    const { terminal, clock, play } = openReporter(80);
    play([runStarted(names.map((name) => plannedStage(name, "run"))), ...names.map((name) => stageStarted(name, 1))]);
    clock.advance(1500);
    const lines = terminal.screen().split("\n");
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.at(-1)).toBe("  0 of 40 stages done  1 s");
    expect(terminal.screen()).not.toContain("waiting");
  });

  it("says that it is stopping, and closes cleanly with a line for each stage that was at work", () => {
    const { terminal, clock, reporter, play } = openReporter(80);
    play([...until(16_000), { type: "run-interrupted", atMs: 16_100 }]);
    expect(terminal.screen()).toContain("stopping: finishing the step");
    reporter.close();
    reporter.close();
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  5 stages
      = fetch      fresh
      ! normalize: declared mean 0.49 is far from the measured 0.41
      ↓ normalize  restored
      ■ train      stopped at 25%"
    `);
    expect(terminal.cursorVisible).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it("takes nothing more after it was closed", () => {
    const { terminal, reporter, play } = openReporter(80);
    play(until(200));
    reporter.close();
    const screen = terminal.screen();
    play([stageFinished(stageRecord("train", "ran"), 300)]);
    expect(terminal.screen()).toBe(screen);
  });

  it("shows a warning at once, and again in the summary", () => {
    const { terminal, clock, play } = openReporter(80);
    const message = "object 12ab was corrupt and is in quarantine";
    play([runStarted(planOfFive.slice(0, 1)), { type: "warned", atMs: 5, message, help: "the disk may be failing" }]);
    clock.advance(0);
    expect(terminal.screen()).toContain(`! ${message}\n  help: the disk may be failing`);
    play([{ type: "run-finished", atMs: 20, record: runRecord([stageRecord("fetch", "fresh")], { durationMs: 20 }) }]);
    expect(terminal.screen()).toMatchInlineSnapshot(`
      "resnet34 (quick)  1 stage
      ! object 12ab was corrupt and is in quarantine
        help: the disk may be failing

      resnet34 (quick): 1 fresh in 20 ms
        ! object 12ab was corrupt and is in quarantine
          help: the disk may be failing
        results   artifacts/resnet34@quick/"
    `);
  });

  it("writes every log line above the block where all are asked for, without its escape codes", () => {
    const { terminal, clock, play } = openReporter(80, { logs: "all" });
    play([
      ...until(100),
      { type: "stage-logged", atMs: 120, stage: "train", stream: "stdout", line: "\u001b[31mred\u001b[0m 10%\r50%" },
    ]);
    clock.advance(100);
    expect(terminal.screen()).toContain("train │ 50%");
  });

  it("tells who holds a stage that another process is running", () => {
    const { terminal, clock, play } = openReporter(100);
    play([...until(60), { type: "stage-waiting", atMs: 100, stage: "train", holder: "process 4242" }]);
    clock.advance(200);
    expect(terminal.screen()).toContain("waits for process 4242");
    play([stageStarted("train", 400)]);
    clock.advance(200);
    expect(terminal.screen()).not.toContain("process 4242");
  });

  it("writes no escape code for colour where colour is off", () => {
    const clock = new FakeClock();
    const parts: string[] = [];
    const output = {
      write: (part: string) => void parts.push(part),
      columns: () => 80,
      isTerminal: true,
      color: false,
    };
    const reporter = createTerminalReporter({ output, schedule: clock.schedule, now: clock.now });
    for (const event of successfulRun) reporter.onEvent(event);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for escape codes.
    expect(parts.join("")).not.toMatch(/\u001b\[[\d;]*m/);
  });
});
