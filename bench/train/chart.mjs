/** The bars of RESULTS.md, drawn by the project's own charts. Bundled by `environment.mjs`. */
import { CHART_CONFIG, tableReference, VEGA_LITE_SCHEMA } from "../../src/ml/charts/chart.ts";
import { openChartFonts } from "../../src/ml/charts/chart-fonts.ts";
import { renderChart } from "../../src/ml/charts/render-chart.ts";

/** `bars`: rows of { case, peer, ratio }; `peers`: [{ title, color }] in the order drawn. Returns SVG text. */
export async function drawBars({ title, subtitle, bars, peers, fontFiles }) {
  const cases = [...new Set(bars.map((bar) => bar.case))];
  const shown = peers.filter((peer) => bars.some((bar) => bar.peer === peer.title));
  const titles = shown.map((peer) => peer.title);
  const chart = {
    name: "results",
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: { text: title, subtitle },
      width: Math.max(480, 16 * bars.length + 24 * cases.length),
      height: 300,
      data: tableReference("results", "bars"),
      layer: [
        {
          mark: { type: "bar" },
          encoding: {
            x: {
              field: "case",
              type: "nominal",
              sort: cases,
              title: null,
              axis: { labelAngle: 0, ticks: false, labelExpr: "split(datum.label, ', ')" },
            },
            xOffset: { field: "peer", sort: titles, type: "nominal" },
            y: { field: "ratio", type: "quantitative", title: "images a second, PyTorch float32 = 1" },
            color: {
              field: "peer",
              type: "nominal",
              scale: { domain: titles, range: shown.map((peer) => peer.color) },
              legend: { title: null, orient: "right", symbolType: "square" },
            },
          },
        },
        { mark: { type: "rule", strokeDash: [4, 3], color: "#1f2733" }, encoding: { y: { datum: 1 } } },
      ],
      config: CHART_CONFIG,
    },
    data: { bars },
  };
  const { files } = await renderChart(chart, ["svg"], await openChartFonts(fontFiles));
  return new TextDecoder().decode(files.svg);
}
