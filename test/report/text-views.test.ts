import { describe, expect, it } from "vitest";
import { describeEngine } from "../../src/report/describe-engine.ts";
import { renderEngines } from "../../src/report/render-engines.ts";
import { renderFailure } from "../../src/report/render-failure.ts";
import { renderPlan } from "../../src/report/render-plan.ts";
import { renderShow } from "../../src/report/render-show.ts";
import { renderStatus } from "../../src/report/render-status.ts";
import { textWidth } from "../../src/report/text-width.ts";
import { plannedStage, runRecord, stageRecord } from "./recorded-run.ts";

const style = { color: false, columns: 80 };
const lastLine = (text: string): string | undefined => text.split("\n").at(-1);
const digest = "0123456789abcdef".repeat(4);
const other = "fedcba9876543210".repeat(4);

const plan = [
  plannedStage("fetch", "fresh", { reason: "up to date" }),
  plannedStage("normalize", "restore", { reason: "train/transform.json is missing" }),
  plannedStage("train", "run", {
    reason: "optimizer.learningRate 0.1 -> 0.05; stages/train.ts was edited; and 3 more",
    expectedMs: 245_000,
  }),
  plannedStage("evaluate", "pending", { reason: "train will run", expectedMs: 4_700 }),
];

describe("the plan", () => {
  it("lists decisions, reasons and times, and sums them up", () => {
    expect(renderPlan(plan, style)).toMatchInlineSnapshot(`
      "stage      decision  reason                                            expected
      fetch      fresh     up to date
      normalize  restore   train/transform.json is missing
      train      run       optimizer.learningRate 0.1 -> 0.05;               4 m 05 s
                           stages/train.ts was edited; and 3 more
      evaluate   pending   train will run                                       4.7 s

      1 to run, 1 to restore, 1 pending, 1 fresh; about 4 m 10 s"
    `);
  });

  it("mentions the hint only where a run is long or its length unknown", () => {
    const hint = "for a first look: pipe run x.yaml --profile quick";
    const long = [...plan, plannedStage("plot", "run", { expectedMs: 3_600_000 })];
    const unknown = [...plan, plannedStage("plot", "run")];
    const wide = { color: false, columns: 120, hint };
    expect(renderPlan(plan, wide)).not.toContain(hint);
    expect(lastLine(renderPlan(long, wide))).toBe(hint);
    expect(renderPlan(unknown, wide)).toContain("more than 4 m 10 s (1 stage without an earlier run)");
    expect(lastLine(renderPlan(unknown, wide))).toBe(hint);
  });

  it("says when there is nothing to do, or nothing to execute", () => {
    expect(lastLine(renderPlan(plan.slice(0, 1), style))).toBe("1 stage, all fresh, nothing to do");
    expect(lastLine(renderPlan(plan.slice(0, 2), style))).toBe("1 to restore, 1 fresh; nothing executes");
    expect(lastLine(renderPlan([], style))).toBe("no stages");
  });

  it("keeps within the window, colours or not", () => {
    for (const columns of [60, 80, 120]) {
      for (const color of [false, true]) {
        for (const line of renderPlan(plan, { color, columns }).split("\n")) {
          expect(textWidth(line)).toBeLessThan(columns);
        }
      }
    }
  });
});

const trained = stageRecord("train", "ran", {
  reason: "optimizer.learningRate 0.1 -> 0.05",
  fingerprint: digest,
  durationMs: 245_123,
  params: { epochs: 6, optimizer: { type: "sgd", learningRate: 0.05 }, charts: ["loss", "accuracy"], augment: {} },
  outputs: {
    model: { kind: "model", digest, sizeBytes: 85_274_111, facts: { classes: 10, architecture: "resnet34" } },
    history: { kind: "history", digest: other, sizeBytes: 40_111, facts: {} },
  },
  metrics: { bestEpoch: 6, validAccuracy: 0.512345 },
  measurements: { imagesPerSecond: 212.345, peakMemoryBytes: 1_234_567_890 },
  warnings: ["the last epoch was the best: more may help"],
  engine: { name: "native", version: "2.18.1", threads: 2, precision: "float32" },
});

describe("an engine in words", () => {
  const engine = { name: "native", version: "2.18.1", threads: 1, precision: "bfloat16" };
  it("names the way of convolutions only where it was chosen, and reads records of before there was a choice", () => {
    expect(describeEngine(engine)).toBe("native 2.18.1, 1 thread, bfloat16");
    expect(describeEngine({ ...engine, convolution: "auto" })).toBe("native 2.18.1, 1 thread, bfloat16");
    expect(describeEngine({ ...engine, convolution: "direct" })).toBe(
      "native 2.18.1, 1 thread, bfloat16, direct convolutions",
    );
  });
});

describe("show", () => {
  it("tells what a stage made, from what, and how well", () => {
    const files = {
      model: [
        { path: "architecture.json", sizeBytes: 1_234, digest: other },
        { path: "model.safetensors", sizeBytes: 85_272_877, digest },
      ],
      history: [{ path: "", sizeBytes: 40_111, digest: other }],
    };
    expect(renderShow({ record: trained, files, folder: "artifacts/x/train" }, style)).toMatchInlineSnapshot(`
      "✓ train (train)  ran: optimizer.learningRate 0.1 -> 0.05
        results in artifacts/x/train/
        took 4 m 05 s
        engine native 2.18.1, 2 threads, float32
        fingerprint 0123456789abcdef

      artifacts
        model  model  85 MB  0123456789ab
          classes: 10
          architecture: resnet34
          architecture.json  1.2 kB  fedcba987654
          model.safetensors   85 MB  0123456789ab
        history  history  40 kB  fedcba987654
          history  40 kB  fedcba987654

      metrics
        bestEpoch            6
        validAccuracy  51.23 %  0.512345

      measurements (of this execution)
        imagesPerSecond  212 img/s  212.345
        peakMemoryBytes     1.2 GB  1234567890

      params
        epochs                  6
        optimizer.type          sgd
        optimizer.learningRate  0.05
        charts                  ["loss", "accuracy"]
        augment                 {}

      warnings
        the last epoch was the best: more may help"
    `);
  });

  it("counts the files beyond the first twenty", () => {
    const model = Array.from({ length: 23 }, (_, index) => ({ path: `part${index}`, sizeBytes: 1, digest }));
    expect(renderShow({ record: trained, files: { model } }, style)).toContain("and 3 more files");
  });
});

describe("status", () => {
  it("puts what a run would do beside what the last one did", () => {
    const lastRun = runRecord([stageRecord("fetch", "fresh", { metrics: { images: 60_000 } }), trained]);
    const status = { pipeline: "resnet34", profiles: [], stages: plan, lastRun };
    expect(renderStatus(status, style)).toMatchInlineSnapshot(`
      "resnet34: last run 2026-01-02 10:11:12 UTC, done after 1 m 15 s

      stage      now      last run      took  metrics or reason
      fetch      fresh    = fresh      1.2 s  images 60,000
      normalize  restore  -                   train/transform.json is missing
      train      run      ✓ ran     4 m 05 s  optimizer.learningRate 0.1 -> 0.05;
                                              stages/train.ts was edited; and 3 more
      evaluate   pending  -                   train will run"
    `);
  });

  it("says so where there was no run", () => {
    expect(renderStatus({ pipeline: "x", profiles: ["quick"], stages: [] }, style)).toContain("x (quick): never run");
  });
});

describe("a failure", () => {
  it("of our own code shows where it was thrown", () => {
    const failure = { message: "boom", stack: "Error: boom\n    at run (train.ts:12:3)\n    at main", lastOutput: [] };
    expect(renderFailure(stageRecord("train", "failed", { failure }), style)).toMatchInlineSnapshot(`
      "train failed after 1.2 s
        boom
        thrown at:
          at run (train.ts:12:3)
          at main"
    `);
  });

  it("wraps long texts, keeps commands whole and makes output printable", () => {
    const failure = {
      message: "the archive ended early: ".repeat(6).trim(),
      help: "run this: curl --fail --location --continue-at - https://example.org/a/very/long/path/cifar-10-binary.tar.gz",
      lastOutput: ["\u001b[31mred\u001b[0m", "a\tb"],
    };
    expect(
      renderFailure(stageRecord("fetch", "failed", { failure }), { ...style, columns: 60 }),
    ).toMatchInlineSnapshot(`
      "fetch failed after 1.2 s
        the archive ended early: the archive ended early: the
        archive ended early: the archive ended early: the archive
        ended early: the archive ended early:
        help: run this: curl --fail --location --continue-at -
              https://example.org/a/very/long/path/cifar-10-binary.tar.gz
        last output:
        │ red
        │ a    b"
    `);
  });

  it("is empty for a stage that did not fail", () => {
    expect(renderFailure(trained, style)).toBe("");
  });
});

describe("the engines", () => {
  it("are listed with their problems and what mends them", () => {
    const problem =
      "no C++ compiler was found, so the binding could not be built; training runs on wasm, 6 times slower";
    const help = "install g++ (apt-get install g++), then: pipe engine install";
    const engines = [
      { name: "native", available: false, problem, help },
      { name: "wasm", available: true, version: "4.22.0", source: "@tensorflow/tfjs-backend-wasm", selfTest: "passed" },
    ];
    expect(renderEngines(engines, style)).toMatchInlineSnapshot(`
      "   engine  version  self-test  library
      ✗  native  -        -          -
      ✓  wasm    4.22.0   passed     @tensorflow/tfjs-backend-wasm

      ! native: no C++ compiler was found, so the binding could not be built;
        training runs on wasm, 6 times slower
        help: install g++ (apt-get install g++), then: pipe engine install"
    `);
  });
});
