/** The curve of the no-op benchmark, drawn by the project's own charts. Bundled by `report.mjs`. */
import { CHART_CONFIG, tableReference, VEGA_LITE_SCHEMA } from "../../src/ml/charts/chart.ts";
import { openChartFonts } from "../../src/ml/charts/chart-fonts.ts";
import { renderChart } from "../../src/ml/charts/render-chart.ts";

const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke"];

/** `rows` are { tool, stages, seconds }. */
export async function drawChart(rows, fontFiles) {
  const tools = [...new Set(rows.map(({ tool }) => tool))];
  const legend = { title: null, orient: "right" };
  const chart = {
    name: "noop",
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: {
        text: "A run that has nothing to do",
        subtitle: "chains of seven stages; medians; both axes logarithmic",
      },
      width: 480,
      height: 320,
      data: tableReference("noop", "times"),
      mark: { type: "line", interpolate: "linear", point: { filled: true, size: 60 } },
      encoding: {
        x: {
          field: "stages",
          type: "quantitative",
          scale: { type: "log", domain: [5, 10_000] },
          axis: { values: [7, 70, 700, 7000], format: "~f" },
          title: "stages",
        },
        y: {
          field: "seconds",
          type: "quantitative",
          scale: { type: "log" },
          axis: { values: [0.001, 0.01, 0.1, 1, 10, 100], format: "~f" },
          title: "seconds",
        },
        color: {
          field: "tool",
          type: "nominal",
          scale: { domain: tools, range: COLORS.slice(0, tools.length) },
          legend,
        },
        shape: {
          field: "tool",
          type: "nominal",
          scale: { domain: tools, range: SHAPES.slice(0, tools.length) },
          legend,
        },
      },
      config: CHART_CONFIG,
    },
    data: { times: rows },
  };
  const { files } = await renderChart(chart, ["svg"], await openChartFonts(fontFiles));
  return new TextDecoder().decode(files.svg);
}
