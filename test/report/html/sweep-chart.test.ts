import { compile } from "vega-lite";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import type { SweepRecord, TrialRecord } from "../../../src/record.ts";
import { renderReport } from "../../../src/report/html/render-report.ts";
import { drawSweepChart } from "../../../src/report/html/sweep-chart.ts";
import { runRecord, stageRecord } from "../recorded-run.ts";

const trial = (values: JsonObject, accuracy: number | undefined, more: Partial<TrialRecord> = {}): TrialRecord => {
  const name = Object.entries(values)
    .map(([param, value]) => `${param}=${String(value)}`)
    .join(",");
  return {
    name,
    values,
    state: accuracy === undefined ? "failed" : "done",
    stages: [`train@${name}`],
    metrics: accuracy === undefined ? {} : { "evaluate.testAccuracy": accuracy },
    epochsTrained: 1,
    epochs: 3,
    ...more,
  };
};
const sweep: SweepRecord = {
  params: ["rate", "kind"],
  seed: 7,
  objective: { metric: "evaluate.testAccuracy", mode: "max" },
  trials: [
    trial({ rate: 0.001, kind: "a" }, 0.5),
    trial({ rate: 0.1, kind: "b" }, 0.75),
    trial({ rate: 1, kind: "<b>" }, undefined, { failure: "train: the loss is NaN" }),
    trial({ rate: 0.01, kind: "b" }, 0.25),
  ],
};
type Row = { trial: string; axis: string; place: number; value: string; isBest: boolean; height?: number };
const linesOf = (data: JsonObject) => data.lines as unknown as readonly Row[];
const drawn = async (given = sweep) => (await drawSweepChart(given, "tiny"))!;

describe("the chart of a sweep", () => {
  it("has an axis per param and one for the objective, and each trial in its place on them", async () => {
    const { source } = await drawn();
    const rows = linesOf(source!.data).filter(({ trial: name }) => name === "rate=0.1,kind=b");
    expect(rows.map(({ axis, value }) => [axis, value])).toEqual([
      ["rate", "0.1"],
      ["kind", "b"],
      ["evaluate.testAccuracy", "75.00 %"],
    ]);
    // 0.001 to 1 lie on a logarithm's axis.
    expect(rows.map(({ place }) => Number(place.toFixed(3)))).toEqual([0.667, 0, 1]);
    const ticks = source!.data.ticks as unknown as readonly { axis: string; label: string }[];
    expect(ticks.filter(({ axis }) => axis === "rate").map(({ label }) => label)).toEqual([
      "0.001",
      "0.01",
      "0.1",
      "1",
    ]);
  });

  it("draws the best one last, and what has no result without one", async () => {
    const { source, svg } = await drawn();
    const rows = linesOf(source!.data);
    expect(rows.at(-1)).toMatchObject({ trial: "rate=0.1,kind=b", isBest: true });
    expect(rows[0]!.trial).toBe("rate=1,kind=<b>");
    expect(rows[0]!.height).toBeUndefined();
    expect(rows.filter(({ trial: name }) => name === "rate=1,kind=<b>")).toHaveLength(2);
    expect(svg).toContain("best, in orange: rate 0.1, kind b: evaluate.testAccuracy 75.00 %");
    expect(svg).toContain("&lt;b&gt;");
  });

  it("is the same each time, and its specification has no warning", async () => {
    const [one, other] = [await drawn(), await drawn()];
    expect(one).toEqual(other);
    const warnings: unknown[] = [];
    const warn = (...messages: unknown[]) => warnings.push(messages);
    const logger = { level: () => logger, error: warn, warn, info: () => logger, debug: () => logger };
    compile(one.source!.spec as never, { logger: logger as never });
    expect(warnings).toEqual([]);
  });

  it("can be drawn without an objective, of one value, of many and of none that are numbers", async () => {
    const { objective: _, ...plain } = sweep;
    expect((await drawn(plain)).svg).toContain("testAccuracy");
    const many = Array.from({ length: 40 }, (_, i) => trial({ rate: i, kind: { of: `k${i}` }, same: 1 }, i / 40));
    const { source } = await drawn({ ...sweep, params: ["rate", "kind", "same"], trials: many });
    for (const { place } of linesOf(source!.data)) expect(place >= 0 && place <= 1).toBe(true);
    expect(await drawSweepChart({ ...sweep, trials: sweep.trials.slice(0, 1) }, "tiny")).toBeUndefined();
  });

  it("is in the report above the table, with the metrics and charts of the best trial only", async () => {
    const stages = sweep.trials.map(({ name, metrics }) =>
      stageRecord(`train@${name}`, "ran", { metrics: { validLoss: metrics["evaluate.testAccuracy"] ?? 9 } }),
    );
    const html = renderReport(
      runRecord(stages, { sweep }),
      { list: () => [], open: () => undefined },
      () => ({ vega: "var vega={}", vegaLite: "var vegaLite={}" }),
      await drawn(),
    );
    expect(html.indexOf('data-chart="0"')).toBeLessThan(html.indexOf("epochs trained"));
    const rows = [...html.matchAll(/<tr><td class="soft">(\d)<\/td><td>(.*?)<\/td>/g)].map(([, rank, rate]) => [
      rank,
      rate,
    ]);
    expect(rows).toEqual([
      ["1", "0.1"],
      ["2", "0.001"],
      ["3", "0.01"],
      ["4", "1"],
    ]);
    expect(html.match(/class="card metric"/g)).toHaveLength(1);
    expect(html).toContain("Metrics of the best trial");
    const { objective: _, ...unjudged } = sweep;
    const plain = renderReport(runRecord(stages, { sweep: unjudged }), { list: () => [], open: () => undefined });
    expect(plain).not.toContain("card metric");
    expect(html).not.toContain("<b>kind");
  });
});
