/** Draws the charts that were asked for, out of artifacts, into a folder: specification, data and rendered files of each. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../data/data-error.ts";
import type { DatasetSource } from "../data/dataset.ts";
import { type AccuracyChartOptions, drawAccuracyChart } from "./accuracy-chart.ts";
import { type Chart, chartFiles } from "./chart.ts";
import { type ChartFontFiles, openChartFonts } from "./chart-fonts.ts";
import { type ChartSource, confusionOf, readConfusion, readHistory, readPredictions } from "./chart-sources.ts";
import { type ConfusionChartOptions, drawConfusionChart } from "./confusion-chart.ts";
import { drawExamplesChart } from "./examples-chart.ts";
import { drawLossChart, type LossChartOptions } from "./loss-chart.ts";
import { type ExamplePick, readExamples } from "./read-examples.ts";
import { type ChartFormat, renderChart } from "./render-chart.ts";

export type ChartName = "loss" | "accuracy" | "confusionMatrix" | "examples";

export interface PlotSettings {
  readonly charts: readonly ChartName[];
  readonly formats: readonly ChartFormat[];
  readonly classNames?: readonly string[] | undefined;
  readonly loss: LossChartOptions;
  readonly accuracy: AccuracyChartOptions;
  readonly confusionMatrix: Omit<ConfusionChartOptions, "classNames">;
  readonly examples: {
    readonly title: string;
    readonly gridRows: number;
    readonly gridColumns: number;
    readonly pick: ExamplePick;
    readonly tileSize: number;
  };
}

export interface PlotSources {
  readonly history?: ChartSource | undefined;
  readonly predictions?: ChartSource | undefined;
  readonly confusion?: ChartSource | undefined;
  readonly examples?: DatasetSource | undefined;
}

export interface PlotReport {
  drawn(chart: ChartName, done: number): void;
  warn(line: string): void;
}

/** Throws `DataError` where a source is missing or holds nothing to draw. */
export async function plotCharts(
  settings: PlotSettings,
  sources: PlotSources,
  fontFiles: ChartFontFiles,
  folder: string,
  report: PlotReport,
): Promise<void> {
  const fonts = await openChartFonts(fontFiles);
  for (const [i, name] of settings.charts.entries()) {
    const chart = await drawChart(name, settings, sources, report);
    for (const [file, text] of Object.entries(chartFiles(chart))) writeFileSync(join(folder, file), text);
    const rendered = await renderChart(chart, settings.formats, fonts);
    for (const [format, bytes] of Object.entries(rendered.files))
      writeFileSync(join(folder, `${name}.${format}`), bytes);
    if (rendered.missingCharacters.length > 0)
      report.warn(
        `the chart ${name} shows boxes for characters its font lacks: ${rendered.missingCharacters.join(" ")}`,
      );
    report.drawn(name, i + 1);
  }
}

async function drawChart(
  name: ChartName,
  settings: PlotSettings,
  sources: PlotSources,
  report: PlotReport,
): Promise<Chart> {
  const { classNames } = settings;
  switch (name) {
    case "loss":
      return drawLossChart(readHistory(needed(sources.history, name, "history")), settings.loss);
    case "accuracy":
      return drawAccuracyChart(readHistory(needed(sources.history, name, "history")), settings.accuracy);
    case "confusionMatrix": {
      const confusion =
        sources.confusion === undefined
          ? confusionOf(readPredictions(needed(sources.predictions, name, "predictions")))
          : readConfusion(sources.confusion);
      return drawConfusionChart(confusion, { ...settings.confusionMatrix, classNames });
    }
    case "examples": {
      const { pick, gridRows, gridColumns, title, tileSize } = settings.examples;
      const dataset = needed(sources.examples, name, "examples");
      const predictions = readPredictions(needed(sources.predictions, name, "predictions"));
      checkNameCount(classNames, predictions.classNames.length);
      const choice = { count: gridRows * gridColumns, tileSize, classNames };
      let { examples, aspect } = await readExamples(dataset, predictions, { ...choice, pick });
      if (examples.length === 0) {
        report.warn(
          `no image was predicted ${pick === "wrong" ? "wrongly" : "correctly"}: the first ones are shown instead`,
        );
        ({ examples, aspect } = await readExamples(dataset, predictions, { ...choice, pick: "first" }));
      }
      return drawExamplesChart(examples, { title, gridColumns, tileSize, aspect });
    }
  }
}

function needed<Source>(source: Source | undefined, chart: ChartName, input: string): Source {
  if (source === undefined) throw new DataError(`the chart ${chart} needs the input ${input}`);
  return source;
}

function checkNameCount(classNames: readonly string[] | undefined, classes: number): void {
  if (classNames !== undefined && classNames.length !== classes)
    throw new DataError(`${classNames.length} class names for predictions of ${classes} classes`);
}
