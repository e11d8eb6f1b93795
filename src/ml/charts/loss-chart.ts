/**
 * The training loss of every minibatch as a thin line, its running average over it, iterations below and epochs above.
 *
 * The first iterations of a training often lose a hundred times more than the rest, so the y axis ends at 1.5 times the
 * largest loss after iteration 1,000 (after the first epoch where there are fewer), as in the published recipe.
 */

import type { JsonObject } from "../../json.ts";
import { DataError } from "../data/data-error.ts";
import type { Chart } from "./chart.ts";
import { CHART_CONFIG, niceStep, PALETTE, significant, tableReference, VEGA_LITE_SCHEMA } from "./chart.ts";

export interface LossHistory {
  readonly batchSize: number;
  readonly iterationsPerEpoch: number;
  /** Per minibatch, in nats (cross-entropy, natural logarithm). */
  readonly loss: readonly number[];
}

export interface LossChartOptions {
  readonly title: string;
  /** Of the plot without axes, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Iterations averaged. Left out: 200, or an epoch where that is fewer; of a single epoch, its half. */
  readonly runningAverage?: number | undefined;
  /** Upper end of the y axis. Left out: found as above. */
  readonly yLimit?: number | undefined;
}

/** Throws where there is no loss, or one that is no number. */
export function drawLossChart(history: LossHistory, options: LossChartOptions): Chart {
  const { loss, iterationsPerEpoch } = history;
  if (loss.length === 0) throw new DataError("the history holds no minibatch loss, so there is nothing to draw");
  const half = Math.max(1, Math.floor(loss.length / 2));
  const window = Math.min(options.runningAverage ?? Math.min(200, iterationsPerEpoch, half), loss.length);
  const averages = runningAverage(loss, window);
  const name = "loss";
  const color = {
    scale: { domain: ["minibatch", `average of ${window}`], range: [PALETTE.skyBlue, PALETTE.vermillion] },
    legend: { title: null, orient: "top-right", fillColor: null, offset: 6, symbolType: "stroke" },
    type: "nominal",
  };
  const line = (field: string, axis: JsonObject, mark: JsonObject, label: string): JsonObject => ({
    mark: { type: "line", clip: true, interpolate: "linear", ...mark },
    encoding: {
      x: { field: "iteration", type: "quantitative", scale: { domain: [0, loss.length], nice: false }, axis },
      y: {
        field,
        type: "quantitative",
        title: "cross-entropy loss (nats)",
        scale: { domain: [0, options.yLimit ?? lossLimit(loss, iterationsPerEpoch)], nice: false },
        axis: { tickCount: 6 },
      },
      color: { datum: label, ...color },
    },
  });
  const epochAxis: JsonObject = {
    orient: "top",
    title: "epoch",
    values: epochTicks(loss.length, iterationsPerEpoch),
    labelExpr: `format(datum.value / ${iterationsPerEpoch}, '~g')`,
    grid: false,
  };
  const iterationAxis: JsonObject = {
    title: `iteration (minibatches of ${history.batchSize} images)`,
    format: ",d",
    tickCount: 8,
    tickMinStep: 1,
    grid: false,
  };
  return {
    name,
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      usermeta: { hover: { table: "minibatches", x: "iteration", y: ["loss", "average"] } },
      title: { text: options.title },
      width: options.width,
      height: options.height,
      data: tableReference(name, "minibatches"),
      layer: [
        line("loss", iterationAxis, { strokeWidth: 0.7, strokeOpacity: 0.85 }, "minibatch"),
        {
          transform: [{ filter: "isValid(datum.average)" }],
          ...line("average", epochAxis, { strokeWidth: 2 }, `average of ${window}`),
        },
      ],
      resolve: { axis: { x: "independent" } },
      config: CHART_CONFIG,
    },
    data: {
      // Two columns a pixel: as many as a PNG has.
      minibatches: thinToColumns(loss, 2 * options.width).map((i) => ({
        iteration: i + 1,
        loss: significant(loss[i]!, 6),
        average: i + 1 < window ? undefined : significant(averages[i + 1 - window]!, 6),
      })),
    },
  };
}

/** Means of `window` values in a row: [values.length - window + 1], the first over values[0..window). */
export function runningAverage(values: readonly number[], window: number): Float64Array {
  // Prefix sums in double precision: the error after a million values of about 1 is far below a pixel.
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = sums[i]! + values[i]!;
  return Float64Array.from({ length: values.length - window + 1 }, (_, i) => (sums[i + window]! - sums[i]!) / window);
}

/**
 * Indices whose points draw the same line as all of `values` do on a picture of so many columns: the first, the last, a
 * smallest and a largest of every column (M4: Jugel et al., VLDB 2014). A long training has a hundred points a pixel.
 */
export function thinToColumns(values: readonly number[], columns: number): readonly number[] {
  if (values.length <= 4 * columns) return values.map((_, i) => i);
  return Array.from({ length: columns }, (_, column) => {
    const begin = Math.floor((column * values.length) / columns);
    const end = Math.floor(((column + 1) * values.length) / columns);
    let [smallest, largest] = [begin, begin];
    for (let i = begin; i < end; i++) {
      if (values[i]! < values[smallest]!) smallest = i;
      if (values[i]! > values[largest]!) largest = i;
    }
    return [...new Set([begin, smallest, largest, end - 1])].sort((a, b) => a - b);
  }).flat();
}

/** Where the y axis ends. With one epoch and no 1,000 iterations the later half counts. */
export function lossLimit(loss: readonly number[], iterationsPerEpoch: number): number {
  const settled = [1000, iterationsPerEpoch].find((start) => start < loss.length) ?? Math.floor(loss.length / 2);
  let largest = 0;
  for (let i = settled; i < loss.length; i++) largest = Math.max(largest, loss[i]!);
  return largest > 0 ? significant(1.5 * largest, 3) : 1;
}

/** Iterations at which the epoch axis has a tick: at most about ten whole epochs. */
function epochTicks(iterations: number, iterationsPerEpoch: number): readonly number[] {
  const epochs = iterations / iterationsPerEpoch;
  const step = niceStep(epochs, 10);
  return Array.from({ length: Math.floor(epochs / step) + 1 }, (_, i) => i * step * iterationsPerEpoch);
}
