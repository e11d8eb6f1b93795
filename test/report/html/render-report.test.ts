import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import type { RunRecord, StageRecord } from "../../../src/record.ts";
import { type ReportArtifacts, renderReport } from "../../../src/report/html/render-report.ts";
import { runRecord, stageRecord } from "../recorded-run.ts";

const spec = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  title: { text: "Loss </script> & more" },
  data: { url: "loss.data.json", format: { type: "json", property: "rows" } },
  mark: "line",
  encoding: { x: { field: "x", type: "quantitative" }, y: { field: "y", type: "quantitative" } },
};
const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="100"><style>@font-face{font-family:Inter;font-weight:400;src:url(data:font/woff2;base64,AAAA) format("woff2")}</style><text>Loss</text></svg>';
const chartFiles: Readonly<Record<string, string>> = {
  "loss.vl.json": JSON.stringify(spec),
  "loss.data.json": JSON.stringify({ rows: [{ x: 1, y: 2 }] }),
  "loss.svg": svg,
  "loss.pdf": "%PDF",
  "area.svg": svg.replace("Loss", "Area"),
};
const artifacts: ReportArtifacts = {
  list: (digest) => (digest === "d1" ? Object.keys(chartFiles) : []),
  open: (digest, path) => (digest === "d1" ? new TextEncoder().encode(chartFiles[path]) : undefined),
};
const none: ReportArtifacts = { list: () => [], open: () => undefined };

function record(more: Partial<RunRecord> = {}): RunRecord {
  const charts = { kind: "charts", digest: "d1", sizeBytes: 1e6, facts: { charts: ["loss"] } };
  return runRecord(
    [
      stageRecord("fetch", "fresh"),
      stageRecord("train", "ran", {
        needs: ["fetch"],
        params: { optimizer: { type: "sgd", learningRate: 0.05 }, epochs: 3, note: "<b>" },
        reason: "learningRate 0.1 -> 0.05",
        durationMs: 65_000,
        metrics: { validAccuracy: 0.5345 },
        measurements: { imagesPerSecond: 210 },
        warnings: ["mean is far from what was measured"],
        engine: { name: "native", version: "2.18.0", threads: 2, precision: "float32" },
      }),
      stageRecord("plot", "ran", { needs: ["train"], outputs: { charts } }),
    ],
    more,
  );
}

const sources = (html: string) =>
  JSON.parse(
    /<script type="application\/json" id="chart-sources">(.*?)<\/script>/s.exec(html)![1]!,
  ) as (JsonObject | null)[];

describe("the HTML report", () => {
  it("asks for nothing outside itself", () => {
    const html = renderReport(record(), artifacts, () => ({ vega: "var vega={}", vegaLite: "var vegaLite={}" }));
    expect(html).not.toMatch(/<(?:script|img|link|iframe)[^>]*\s(?:src|href)="(?!data:)/);
    expect(html).not.toMatch(/@import|url\((?!data:)/);
  });

  it("shows metrics, params, reasons, warnings, measurements and the environment", () => {
    const html = renderReport(record({ params: { seed: 123 } }), none);
    for (const text of [
      "53.45 %",
      "train · validAccuracy",
      "<th>optimizer.learningRate</th><td>0.05</td>",
      "learningRate 0.1 -&#62; 0.05",
      "mean is far from what was measured",
      "210 img/s",
      "native 2.18.0, 2 threads, float32",
      "<th>seed</th><td>123</td>",
      "a processor (2 cores)",
      "1 m 05 s",
      "2026-01-02 10:11:12 UTC",
    ])
      expect(html).toContain(text);
  });

  it("draws the graph with states", () => {
    const html = renderReport(record(), none);
    expect(html).toContain('class="dag"');
    expect(html).toContain('<tspan class="state">fresh</tspan>');
  });

  it("draws of hundreds of stages those that were busy, and of hundreds of busy ones none", () => {
    const many = (busy: (at: number) => boolean) =>
      Array.from({ length: 400 }, (_, at) =>
        stageRecord(`s${at}`, busy(at) ? "ran" : "fresh", { needs: at === 0 ? [] : [`s${at - 1}`] }),
      );
    const drawing = (stages: readonly StageRecord[]) => {
      const html = renderReport(runRecord(stages), none);
      return html.slice(html.indexOf("Stage graph"), html.indexOf("Stage by stage"));
    };
    const few = drawing(many((at) => at === 7));
    expect([6, 7].map((at) => few.includes(`>s${at}<`))).toEqual([true, true]);
    expect(few).not.toContain(">s8<");
    expect(few).toContain("Of 400 stages those that the run was busy with");
    expect(drawing(many(() => true))).toContain("400 stages are too many to see");
    expect(drawing(many(() => true))).not.toContain("<svg");
  });

  it("tells of hundreds of stages what each did that was not fresh, and names the fresh ones", () => {
    const stages = Array.from({ length: 400 }, (_, at) => stageRecord(`s${at}`, at === 7 ? "ran" : "fresh"));
    const html = renderReport(runRecord(stages), none);
    const told = html.slice(html.indexOf("Stage by stage"), html.indexOf("Environment"));
    expect(told.match(/<details/g)).toHaveLength(2);
    expect(told).toContain("<b>s7</b>");
    expect(told).toContain("399 fresh stages");
    expect(told).toContain("s0, s1, s2, s3, s4, s5, s6, s8, s9");
  });

  it("escapes what params and titles say", () => {
    const html = renderReport(record(), artifacts, () => undefined);
    expect(html).toContain("<td>&#60;b&#62;</td>");
    expect(html).toContain("Loss &#60;/script&#62; &#38; more");
    expect(sources(html)[0]).toMatchObject({ name: "loss", spec: { title: { text: "Loss </script> & more" } } });
  });

  it("holds every chart as picture and as source, the named ones first", () => {
    const html = renderReport(record(), artifacts, () => undefined);
    expect([...html.matchAll(/<figcaption><span>([^<]*)/g)].map(([, name]) => name)).toEqual([
      "plot / loss",
      "plot / area",
    ]);
    expect(html).toContain(`data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`);
    expect(sources(html)).toEqual([
      { name: "loss", grammar: "vega-lite", spec, data: { rows: [{ x: 1, y: 2 }] } },
      null,
    ]);
  });

  it("gives every chart's font a name of its own", () => {
    const html = renderReport(record(), artifacts, () => undefined);
    expect(html).toContain("@font-face{font-family:chart-0;font-weight:400;");
    expect(html).toContain("@font-face{font-family:chart-1;font-weight:400;");
  });

  it("embeds a runtime that compiles the embedded charts", () => {
    const html = renderReport(record(), artifacts);
    const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script!);
    expect(scripts).toHaveLength(3);
    const context: Record<string, unknown> = { structuredClone, setTimeout, clearTimeout };
    runInNewContext(scripts.slice(0, 2).join(";\n"), context);
    const parsed = runInNewContext(
      "vega.parse(vegaLite.compile(chart.spec).spec).operators.length",
      Object.assign(context, { chart: sources(html)[0] }),
    );
    expect(parsed).toBeGreaterThan(10);
    expect(() => new Function(scripts[2]!)).not.toThrow();
  });

  it("leaves the pictures where there is no runtime, and the runtime out where there are no charts", () => {
    const still = renderReport(record(), artifacts, () => undefined);
    expect(still.match(/<script>/g)).toHaveLength(1);
    expect(renderReport(record(), none).length).toBeLessThan(60_000);
  });

  it("tells first what failed, with help and the last output", () => {
    const failure = { message: "no memory <now>", help: "a smaller batch", lastOutput: ["line 1", "line 2"] };
    const html = renderReport(
      runRecord([stageRecord("train", "failed", { failure }), stageRecord("plot", "skipped")], { exitCode: 1 }),
      none,
    );
    expect(html).toContain('<span class="pill bad">failed</span>');
    expect(html).toContain("no memory &#60;now&#62;");
    expect(html).toContain("a smaller batch");
    expect(html).toContain("line 1\nline 2");
    expect(html.indexOf("no memory")).toBeLessThan(html.indexOf("Stage graph"));
    expect(html).toContain("2 stages: 1 failed, 1 skipped");
  });

  it("says that a run was interrupted", () => {
    expect(renderReport(record({ exitCode: 130 }), none)).toContain('<span class="pill due">interrupted</span>');
  });
});
