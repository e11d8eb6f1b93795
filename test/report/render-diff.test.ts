/** The screens of `pipe diff` and `pipe metrics`, whole, in any window; metrics as CSV and Markdown. */
import { describe, expect, it } from "vitest";
import type { MetricChange, RunComparison } from "../../src/cache/compare-runs.ts";
import { renderDiff } from "../../src/report/render-diff.ts";
import { metricChangesAsTable, metricsAsTable, renderMetrics } from "../../src/report/render-metrics.ts";
import { textWidth } from "../../src/report/text-width.ts";

const digest = "0123456789abcdef".repeat(4);
const other = "fedcba9876543210".repeat(4);
const run = { pipeline: "resnet34", profiles: ["quick"], durationMs: 245_000, exitCode: 0 };
const metrics: readonly MetricChange[] = [
  { stage: "train", name: "bestEpoch", before: 3, after: 5, difference: 2 },
  { stage: "train", name: "validAccuracy", before: 0.5123, after: 0.5523, difference: 0.04 },
  { stage: "evaluate", name: "loss", before: 1.4021, after: 1.3021, difference: -0.1 },
  { stage: "evaluate", name: "top1", before: 0.5098, after: 0.5098, difference: 0 },
  { stage: "evaluate", name: "top5", after: 0.91 },
];

const same: RunComparison = {
  before: { ...run, id: "20260102T101112-ab1234", name: "baseline", startedAt: "2026-01-02T10:11:12.000Z" },
  after: { ...run, id: "20260102T111111-bc2345", startedAt: "2026-01-02T11:11:11.000Z", durationMs: 300_000 },
  params: [],
  stageParams: [],
  stages: [],
  metrics: [],
  artifacts: [],
  durations: [],
  engines: [],
  code: [],
  packages: [],
  inputs: [],
  environment: [],
  unknown: [],
};

const differing: RunComparison = {
  ...same,
  params: [{ name: "epochs", before: "6", after: "10" }],
  stageParams: [
    { stage: "train", name: "epochs", before: "6", after: "10" },
    { stage: "train", name: "clipGradient", after: '{"norm":1}' },
  ],
  inputs: [{ stage: "fetch", name: "source", before: digest, after: other }],
  code: [
    { stage: "train", name: "src/ml/data/loader.ts", before: digest, after: other },
    { stage: "evaluate", name: "src/ml/data/loader.ts", before: digest, after: other },
    { stage: "plot", name: "assets/fonts/Inter-Regular.ttf", after: other },
  ],
  packages: [
    { stage: "train", name: "@tensorflow/tfjs-core", before: "4.22.0", after: "4.23.0" },
    { stage: "evaluate", name: "@tensorflow/tfjs-core", before: "4.22.0", after: "4.23.0" },
  ],
  engines: [{ stage: "train", name: "threads", before: "2", after: "4" }],
  environment: [{ name: "node", before: "20.9.0", after: "22.1.0" }],
  stages: [
    { stage: "plot", before: "ran", after: "failed" },
    { stage: "export", after: "ran" },
  ],
  metrics,
  artifacts: [{ stage: "train", name: "model", before: digest, after: other }],
  durations: [{ stage: "train", beforeMs: 245_000, afterMs: 300_000 }],
  unknown: [{ stage: "evaluate", runId: "20260102T101112-ab1234", reason: "its trace was removed from the store" }],
};

describe("the difference of two runs", () => {
  it("is shown part by part, and names what is the same", () => {
    expect(renderDiff(differing, { color: false, columns: 80 })).toMatchInlineSnapshot(`
      "- resnet34@quick  baseline (ab1234, 2026-01-02 10:11)  took 4 m 05 s
      + resnet34@quick  bc2345 (2026-01-02 11:11)  took 5 m 00 s

      params
        epochs  6 -> 10

      params of stages
        train epochs  6 -> 10
        train clipGradient  (none) -> {"norm":1}

      inputs
        fetch source  0123456789ab -> fedcba987654

      code
        src/ml/data/loader.ts edited  (train, evaluate)
        assets/fonts/Inter-Regular.ttf new  (plot)

      packages
        train, evaluate: @tensorflow/tfjs-core  4.22.0 -> 4.23.0

      engines
        train: threads  2 -> 4

      environment
        node  20.9.0 -> 22.1.0

      outcomes
        plot  ran -> failed
        export  not part of it -> ran

      metrics
        stage     metric          before    after    difference
        train     bestEpoch            3        5            +2
                  validAccuracy  51.23 %  55.23 %  +4.00 points
        evaluate  loss             1.402    1.302       -0.1000
                  top5                 -  91.00 %

      artifacts
        train.model  0123456789ab -> fedcba987654

      durations
        stage    before     after  change
        train  4 m 05 s  5 m 00 s   +22 %

      not known
        code, packages and inputs of evaluate: in the run ab1234 its trace was
          removed from the store"
    `);
  });

  it("says so where there is none, and where one had nothing to do", () => {
    expect(renderDiff(same, { color: false, columns: 80 })).toMatchInlineSnapshot(`
      "- resnet34@quick  baseline (ab1234, 2026-01-02 10:11)  took 4 m 05 s
      + resnet34@quick  bc2345 (2026-01-02 11:11)  took 5 m 00 s

      nothing differs"
    `);
    const nothing = { ...same, after: { ...same.after, sameAs: same.before.id, exitCode: 130 } };
    expect(renderDiff(nothing, { color: false, columns: 80 })).toContain("had nothing to do, exit code 130");
  });

  it("counts what would be too much", () => {
    const packages = Array.from({ length: 30 }, (_, index) => ({ stage: "plot", name: `p${index}`, after: "1.0.0" }));
    expect(renderDiff({ ...same, packages }, { color: false, columns: 80 })).toContain("and 18 more lines (--json)");
  });

  it("in a narrow window breaks lines", () => {
    expect(renderDiff(differing, { color: false, columns: 40 })).toMatchInlineSnapshot(`
      "- resnet34@quick  baseline (ab1234,
        2026-01-02 10:11)  took 4 m 05 s
      + resnet34@quick  bc2345 (2026-01-02
        11:11)  took 5 m 00 s

      params
        epochs  6 -> 10

      params of stages
        train epochs  6 -> 10
        train clipGradient  (none) ->
            {"norm":1}

      inputs
        fetch source  0123456789ab ->
            fedcba987654

      code
        src/ml/data/loader.ts edited  (train,
            evaluate)
        assets/fonts/Inter-Regular.ttf new
            (plot)

      packages
        train, evaluate:
            @tensorflow/tfjs-core  4.22.0 ->
            4.23.0

      engines
        train: threads  2 -> 4

      environment
        node  20.9.0 -> 22.1.0

      outcomes
        plot  ran -> failed
        export  not part of it -> ran

      metrics
        train
          metric      bestEpoch
          before      3
          after       5
          difference  +2
          metric      validAccuracy
          before      51.23 %
          after       55.23 %
          difference  +4.00 points
        evaluate
          metric      loss
          before      1.402
          after       1.302
          difference  -0.1000
          metric      top5
          before      -
          after       91.00 %

      artifacts
        train.model  0123456789ab ->
            fedcba987654

      durations
        stage    before     after  change
        train  4 m 05 s  5 m 00 s   +22 %

      not known
        code, packages and inputs of
          evaluate: in the run ab1234 its
          trace was removed from the store"
    `);
  });

  it("keeps within every window, colours or not", () => {
    for (const columns of [24, 40, 60, 80, 120])
      for (const color of [false, true])
        for (const line of renderDiff(differing, { color, columns }).split("\n"))
          expect(textWidth(line), `${columns}: ${line}`).toBeLessThan(columns);
  });
});

describe("metrics", () => {
  const values = [
    { stage: "train", name: "validAccuracy", value: 0.512345 },
    { stage: "train", name: "bestEpoch", value: 3 },
    { stage: "train@lr=0.1,seed=2", name: "loss", value: 1.4 },
  ];
  it("are a table for people", () => {
    expect(renderMetrics(values, "resnet34: baseline (ab1234)", { color: false, columns: 80 })).toMatchInlineSnapshot(`
      "resnet34: baseline (ab1234)

      stage                metric           value   exactly
      train                validAccuracy  51.23 %  0.512345
                           bestEpoch            3
      train@lr=0.1,seed=2  loss             1.400       1.4"
    `);
    for (const columns of [24, 40, 60])
      for (const line of renderMetrics(values, "resnet34", { color: false, columns }).split("\n"))
        expect(textWidth(line), `${columns}: ${line}`).toBeLessThan(columns);
  });

  it("are CSV and Markdown in full, with what those need escaped", () => {
    expect(metricsAsTable(values, "csv")).toBe(
      'stage,metric,value\ntrain,validAccuracy,0.512345\ntrain,bestEpoch,3\n"train@lr=0.1,seed=2",loss,1.4',
    );
    expect(metricsAsTable([{ stage: "a|b", name: "loss", value: 1e-7 }], "md")).toBe(
      "| stage | metric | value |\n| --- | --- | ---: |\n| a\\|b | loss | 1e-7 |",
    );
    expect(metricChangesAsTable(metrics.slice(3), "csv")).toBe(
      "stage,metric,before,after,difference\nevaluate,top1,0.5098,0.5098,0\nevaluate,top5,,0.91,",
    );
    expect(metricChangesAsTable(metrics.slice(0, 1), "md")).toBe(
      "| stage | metric | before | after | difference |\n| --- | --- | ---: | ---: | ---: |\n| train | bestEpoch | 3 | 5 | 2 |",
    );
  });
});
