/** The curves of a comparison, drawn by the project's own charts. Bundled by `compare.mjs` and `convolutions.mjs`. */
import { CHART_CONFIG, tableReference, VEGA_LITE_SCHEMA } from "../../src/ml/charts/chart.ts";
import { openChartFonts } from "../../src/ml/charts/chart-fonts.ts";
import { renderChart } from "../../src/ml/charts/render-chart.ts";

// In the order of the curves; dashes tell them apart in grey too.
const COLORS = ["#0072b2", "#d55e00", "#009e73"];
const DASHES = [
  [1, 0],
  [5, 3],
  [1, 2],
];

/** Losses as means over a fiftieth of the steps; validation accuracies where there is more than one epoch. SVG text. */
export async function drawCurves({ name: chartName, title, subtitle, stepsPerEpoch, curves }, fontFiles) {
  const names = Object.keys(curves);
  const steps = Math.max(...names.map((name) => curves[name].loss.length));
  const window = Math.max(1, Math.round(steps / 50));
  const losses = names.flatMap((name) => runningMeans(curves[name].loss, window).map((point) => ({ ...point, name })));
  const accuracies = names.flatMap((name) =>
    curves[name].validAccuracy.map((accuracy, i) => ({ epoch: i + 1, accuracy, name })),
  );
  const color = {
    field: "name",
    type: "nominal",
    scale: { domain: names, range: COLORS.slice(0, names.length) },
    legend: { title: null, orient: "top" },
  };
  const strokeDash = {
    field: "name",
    type: "nominal",
    scale: { domain: names, range: DASHES.slice(0, names.length) },
    legend: { title: null, orient: "top" },
  };
  const panel = (table, x, y) => ({
    width: 560,
    height: 240,
    data: tableReference(chartName, table),
    mark: { type: "line", interpolate: "linear" },
    encoding: { x: { type: "quantitative", ...x }, y: { type: "quantitative", ...y }, color, strokeDash },
  });
  const chart = {
    name: chartName,
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: { text: title, subtitle },
      vconcat: [
        panel(
          "losses",
          { field: "step", title: "optimiser steps" },
          { field: "loss", title: `training loss, mean of ${window} steps`, scale: { zero: false } },
        ),
        ...(Math.max(...names.map((name) => curves[name].validAccuracy.length)) > 1
          ? [
              panel(
                "accuracies",
                { field: "epoch", title: `epochs of ${stepsPerEpoch} steps`, axis: { tickMinStep: 1, format: "d" } },
                { field: "accuracy", title: "validation accuracy", axis: { format: ".0%" }, scale: { zero: false } },
              ),
            ]
          : []),
      ],
      config: CHART_CONFIG,
    },
    data: { losses, accuracies },
  };
  const { files } = await renderChart(chart, ["svg"], await openChartFonts(fontFiles));
  return new TextDecoder().decode(files.svg);
}

function runningMeans(losses, window) {
  const points = [];
  for (let begin = 0; begin < losses.length; begin += window) {
    const part = losses.slice(begin, begin + window);
    points.push({ step: begin + part.length, loss: part.reduce((sum, loss) => sum + loss, 0) / part.length });
  }
  return points;
}
