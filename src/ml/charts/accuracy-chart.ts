/** Accuracy per epoch on the training and the validation images; the best epoch is ringed. Fractions in, percent shown. */

import type { JsonObject } from "../../json.ts";
import { DataError } from "../data/data-error.ts";
import type { Chart } from "./chart.ts";
import { CHART_CONFIG, niceStep, PALETTE, significant, tableReference, VEGA_LITE_SCHEMA } from "./chart.ts";

export interface EpochAccuracy {
  readonly epoch: number;
  /** Fractions, 0 to 1. Absent where it was not measured. */
  readonly trainAccuracy?: number | undefined;
  readonly validAccuracy?: number | undefined;
}

export interface AccuracyHistory {
  readonly epochs: readonly EpochAccuracy[];
  readonly bestEpoch?: number | null | undefined;
}

export interface AccuracyChartOptions {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** Lower and upper end of the y axis, as fractions. Left out: what the values need, in steps of 5 %. */
  readonly yRange?: readonly [number, number] | undefined;
}

/** Throws where no epoch has an accuracy. */
export function drawAccuracyChart(history: AccuracyHistory, options: AccuracyChartOptions): Chart {
  const { epochs } = history;
  const series = [
    { label: "training", of: (row: EpochAccuracy) => row.trainAccuracy },
    { label: "validation", of: (row: EpochAccuracy) => row.validAccuracy },
  ].filter(({ of }) => epochs.some((row) => of(row) !== undefined));
  if (series.length === 0) throw new DataError("the history holds no accuracy, so there is nothing to draw");
  const rows = series.flatMap(({ label, of }) =>
    epochs.flatMap((row) => {
      const accuracy = of(row);
      return accuracy === undefined ? [] : [{ epoch: row.epoch, series: label, accuracy: significant(accuracy, 6) }];
    }),
  );
  const [low, high] = options.yRange ?? fittingRange(rows.map((row) => row.accuracy));
  const [first, last] = [epochs[0]!.epoch, epochs[epochs.length - 1]!.epoch];
  const name = "accuracy";
  // Only a range that the user chose may cut something off; else points on the edge stay whole.
  const clip = options.yRange !== undefined;
  const labels = series.map(({ label }) => label);
  const isTraining = (label: string) => label === "training";
  const best = bestRow(history);
  const x: JsonObject = {
    field: "epoch",
    type: "quantitative",
    title: "epoch",
    scale: { domain: last > first ? [first, last] : [first - 1, first + 1], nice: false, padding: 12 },
    axis: { values: epochValues(first, last), format: "d", grid: false },
  };
  const y: JsonObject = {
    field: "accuracy",
    type: "quantitative",
    title: "accuracy (% of images)",
    scale: { domain: [low, high], zero: false, nice: false },
    axis: { format: high - low < 0.1 ? ".1~%" : ".0%", tickCount: 7 },
  };
  const legend = { title: null, orient: "bottom-right", offset: 8, symbolStrokeWidth: 0 };
  return {
    name,
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: best === undefined ? { text: options.title } : { text: options.title, subtitle: bestText(best) },
      width: options.width,
      height: options.height,
      data: tableReference(name, "epochs"),
      layer: [
        {
          mark: { type: "line", clip, strokeWidth: 2, point: { size: 42, filled: true, opacity: 1 } },
          encoding: {
            x,
            y,
            color: {
              field: "series",
              type: "nominal",
              legend,
              scale: { domain: labels, range: labels.map((l) => (isTraining(l) ? PALETTE.blue : PALETTE.vermillion)) },
            },
            shape: {
              field: "series",
              type: "nominal",
              legend,
              scale: { domain: labels, range: labels.map((l) => (isTraining(l) ? "circle" : "square")) },
            },
            strokeDash: {
              field: "series",
              type: "nominal",
              legend,
              scale: { domain: labels, range: labels.map((l) => (isTraining(l) ? [] : [6, 3])) },
            },
            tooltip: [
              { field: "series", title: "images" },
              { field: "epoch", title: "epoch" },
              { field: "accuracy", title: "accuracy", format: ".2%" },
            ],
          },
        },
        ...(best === undefined
          ? []
          : [
              {
                data: tableReference(name, "best"),
                mark: { type: "point", shape: "circle", size: 190, filled: false, strokeWidth: 1.5, opacity: 1, clip },
                encoding: { x, y, color: { value: PALETTE.vermillion } },
              },
            ]),
      ],
      config: CHART_CONFIG,
    },
    data: best === undefined ? { epochs: rows } : { epochs: rows, best: [best] },
  };
}

function bestText({ epoch, accuracy }: { readonly epoch: number; readonly accuracy: number }): string {
  return `Best on the validation images: ${(100 * accuracy).toFixed(1)} % after epoch ${epoch} (ringed).`;
}

function bestRow({ epochs, bestEpoch }: AccuracyHistory) {
  const best = epochs.find(({ epoch }) => epoch === bestEpoch);
  const accuracy = best?.validAccuracy;
  return accuracy === undefined ? undefined : { epoch: best!.epoch, accuracy: significant(accuracy, 6) };
}

/** The values' range in whole steps of 5 %, with a little room above. */
function fittingRange(values: readonly number[]): readonly [number, number] {
  const low = Math.floor(Math.min(...values) * 20 - 0.1) / 20;
  const high = Math.ceil(Math.max(...values) * 20 + 0.1) / 20;
  return [Math.max(0, low), Math.min(1, Math.max(high, low + 0.1))];
}

function epochValues(first: number, last: number): readonly number[] {
  const step = niceStep(last - first + 1, 12);
  const values = [first];
  for (let epoch = Math.ceil((first + 1) / step) * step; epoch <= last; epoch += step) values.push(epoch);
  return values;
}
