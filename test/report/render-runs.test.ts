/** The screens of `pipe runs` and of one run, whole, in any window. */
import { describe, expect, it } from "vitest";
import { renderRun } from "../../src/report/render-run.ts";
import { type ListedRun, renderRuns } from "../../src/report/render-runs.ts";
import { formatMoment, runTitle, shortRunId } from "../../src/report/run-title.ts";
import { textWidth } from "../../src/report/text-width.ts";
import { runRecord, stageRecord } from "./recorded-run.ts";

const runs: readonly ListedRun[] = [
  {
    id: "20260103T120000-ef5678",
    pipeline: "resnet34",
    profiles: ["quick"],
    startedAt: "2026-01-03T12:00:00.000Z",
    outcome: "unfinished",
    stages: {},
    metrics: {},
  },
  {
    id: "20260102T120000-cd3456",
    pipeline: "resnet34",
    profiles: ["quick"],
    startedAt: "2026-01-02T12:00:00.000Z",
    outcome: "fresh",
    durationMs: 131,
    exitCode: 0,
    stages: { fresh: 7 },
    metrics: { train: { validAccuracy: 0.5123 }, evaluate: { loss: 1.4021, top1: 0.5098 } },
  },
  {
    id: "20260102T111111-bc2345",
    name: "lower-rate",
    pipeline: "resnet34",
    profiles: ["quick"],
    startedAt: "2026-01-02T11:11:11.000Z",
    outcome: "done",
    durationMs: 245_000,
    exitCode: 0,
    stages: { ran: 3, fresh: 4 },
    metrics: { train: { validAccuracy: 0.5123, loss: 1.2 }, evaluate: { loss: 1.4021, top1: 0.5098 } },
  },
  {
    id: "20260102T101112-ab1234",
    name: "baseline",
    pipeline: "resnet34",
    profiles: [],
    startedAt: "2026-01-02T10:11:12.000Z",
    outcome: "failed",
    durationMs: 12_300,
    exitCode: 1,
    stages: { failed: 1, restored: 2, skipped: 2 },
    metrics: {},
  },
];

const view = (columns: number) => renderRuns(runs, { color: false, columns });

describe("the list of runs", () => {
  it("has one line a run in a wide window", () => {
    expect(view(160)).toMatchInlineSnapshot(`
      "run     name        when (UTC)        pipeline        outcome         took  stages, metrics
      ef5678              2026-01-03 12:00  resnet34@quick  unfinished
      cd3456              2026-01-02 12:00  resnet34@quick  fresh         131 ms  7 fresh  validAccuracy 51.23 %  loss 1.402  top1 50.98 %
      bc2345  lower-rate  2026-01-02 11:11  resnet34@quick  done        4 m 05 s  3 ran, 4 fresh  validAccuracy 51.23 %  train loss 1.200  evaluate loss 1.402
                                                                                  top1 50.98 %
      ab1234  baseline    2026-01-02 10:11  resnet34        failed          12 s  1 failed, 2 restored, 2 skipped"
    `);
  });

  it("puts what stages did below where there is no room beside", () => {
    expect(view(80)).toMatchInlineSnapshot(`
      "run     name        when (UTC)        pipeline        outcome         took
      ef5678              2026-01-03 12:00  resnet34@quick  unfinished
      cd3456              2026-01-02 12:00  resnet34@quick  fresh         131 ms
        7 fresh  validAccuracy 51.23 %  loss 1.402  top1 50.98 %
      bc2345  lower-rate  2026-01-02 11:11  resnet34@quick  done        4 m 05 s
        3 ran, 4 fresh  validAccuracy 51.23 %  train loss 1.200  evaluate loss 1.402
        top1 50.98 %
      ab1234  baseline    2026-01-02 10:11  resnet34        failed          12 s
        1 failed, 2 restored, 2 skipped"
    `);
  });

  it("becomes blocks in a narrow window", () => {
    expect(view(40)).toMatchInlineSnapshot(`
      "ef5678
        when (UTC)  2026-01-03 12:00
        pipeline    resnet34@quick
        outcome     unfinished
      cd3456
        when (UTC)  2026-01-02 12:00
        pipeline    resnet34@quick
        outcome     fresh
        took        131 ms
        7 fresh  validAccuracy 51.23 %
        loss 1.402  top1 50.98 %
      bc2345
        name        lower-rate
        when (UTC)  2026-01-02 11:11
        pipeline    resnet34@quick
        outcome     done
        took        4 m 05 s
        3 ran, 4 fresh  validAccuracy 51.23 %
        train loss 1.200  evaluate loss 1.402
        top1 50.98 %
      ab1234
        name        baseline
        when (UTC)  2026-01-02 10:11
        pipeline    resnet34
        outcome     failed
        took        12 s
        1 failed, 2 restored, 2 skipped"
    `);
  });

  it("has no column of names where no run has one", () => {
    expect(renderRuns([runs[1]!], { color: false, columns: 100 })).not.toContain("name");
    expect(renderRuns([], { color: false, columns: 100 })).toBe("no runs");
  });

  it("keeps within every window, colours or not", () => {
    for (const columns of [24, 40, 60, 80, 100, 120, 160])
      for (const color of [false, true])
        for (const line of renderRuns(runs, { color, columns }).split("\n"))
          expect(textWidth(line), `${columns}: ${line}`).toBeLessThan(columns);
  });
});

describe("one run", () => {
  const failure = { message: "the loss became NaN at step 312", lastOutput: ["Batch 312 | Loss nan"] };
  const run = runRecord(
    [
      stageRecord("fetch", "fresh", { reason: "up to date" }),
      stageRecord("train", "failed", { durationMs: 12_300, failure }),
      stageRecord("evaluate", "skipped"),
    ],
    { id: "20260102T101112-ab1234", name: "baseline", params: { epochs: 3, data: "./cifar" }, exitCode: 1 },
  );

  it("is shown with what it was given, where it ran and what became of each stage", () => {
    expect(renderRun(run, { color: false, columns: 80 })).toMatchInlineSnapshot(`
      "run            20260102T101112-ab1234
      name           baseline
      pipeline       resnet34@quick
      when           2026-01-02 10:11 UTC
      outcome        failed after 1 m 15 s
      params.epochs  3
      params.data    "./cifar"
      on             a processor, 2 cores, 8.0 GB, linux-x64, Node 20.9.0, tfpipe
                     0.1.0

      stage     outcome     took  metrics or reason
      fetch     = fresh    1.2 s  up to date
      train     ✗ failed    12 s  never run
      evaluate  - skipped         train failed

      train failed after 12 s
        the loss became NaN at step 312
        last output:
        │ Batch 312 | Loss nan"
    `);
  });

  it("keeps within every window", () => {
    for (const columns of [40, 60, 80, 120])
      for (const color of [false, true])
        for (const line of renderRun(run, { color, columns }).split("\n"))
          expect(textWidth(line), `${columns}: ${line}`).toBeLessThan(columns);
  });
});

describe("a run in words", () => {
  it("is its name or the second part of its id, with when it began", () => {
    expect(shortRunId("20260102T101112-ab1234")).toBe("ab1234");
    expect(shortRunId("r1")).toBe("r1");
    expect(formatMoment("2026-01-02T10:11:12.345Z")).toBe("2026-01-02 10:11");
    expect(runTitle({ id: "20260102T101112-ab1234", startedAt: "2026-01-02T10:11:12.345Z" })).toBe(
      "ab1234 (2026-01-02 10:11)",
    );
    expect(runTitle({ id: "20260102T101112-ab1234", name: "baseline" })).toBe("baseline (ab1234)");
  });
});

describe("a sweep among them", () => {
  const metrics = { "train@rate=1": { loss: 2 }, "train@rate=2": { loss: 1 } };
  const trial = (rate: number, loss: number) => ({
    name: `rate=${rate}`,
    values: { rate },
    state: "done" as const,
    stages: [`train@rate=${rate}`],
    metrics: { "train.loss": loss },
  });
  const trials = [trial(1, 2), trial(2, 1)];
  const listed = (sweep: ListedRun["sweep"]) =>
    renderRuns([{ ...runs[2]!, metrics, ...(sweep === undefined ? {} : { sweep }) }], { color: false, columns: 200 });

  it("is told by its best trial instead of every instance's metrics", () => {
    const screen = listed({ params: ["rate"], objective: { metric: "train.loss", mode: "min" }, trials });
    expect(screen).toContain("3 ran, 4 fresh  sweep of 2 trials  best train.loss 1  rate=2");
    expect(screen).not.toContain("train@");
    expect(listed({ params: ["rate"], trials })).toMatch(/sweep of 2 trials$/);
  });
});
