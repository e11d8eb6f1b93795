/**
 * A confusion matrix: rows are true classes, columns predicted ones; a cell shows its count, its share of the row, or
 * both. The text of a cell is light where the cell is dark, by the cell's real colour, so it holds for every colour map.
 */

import type { JsonObject } from "../../json.ts";
import { DataError } from "../data/data-error.ts";
import type { Chart } from "./chart.ts";
import { CHART_CONFIG, significant, tableReference, VEGA_LITE_SCHEMA } from "./chart.ts";

export interface Confusion {
  readonly classNames: readonly string[];
  /** Images by [true class][predicted class]. */
  readonly matrix: readonly (readonly number[])[];
}

export type ConfusionMode = "absolute" | "normalized" | "both";

/** Sequential maps whose lightness runs one way, so that they read in grey. */
export type Colormap =
  | "blues"
  | "greens"
  | "oranges"
  | "greys"
  | "viridis"
  | "cividis"
  | "magma"
  | "inferno"
  | "plasma";

export interface ConfusionChartOptions {
  readonly title: string;
  readonly mode: ConfusionMode;
  readonly colormap: Colormap;
  /** Edge of a cell in pixels. Left out: chosen by the number of classes. */
  readonly cellSize?: number | undefined;
  /** Left out: where a cell is large enough to read. */
  readonly cellText?: boolean | undefined;
  readonly frame: boolean;
  readonly ticks: boolean;
  readonly colorBar: boolean;
  /** Replaces the names in the matrix. */
  readonly classNames?: readonly string[] | undefined;
}

/** Throws where the number of names is not the number of classes, a name repeats, or the matrix is not square. */
export function drawConfusionChart(confusion: Confusion, options: ConfusionChartOptions): Chart {
  const { matrix } = confusion;
  const names = options.classNames ?? confusion.classNames;
  checkNames(names, matrix);
  const name = "confusionMatrix";
  const cellSize = options.cellSize ?? fittingCellSize(names.length, options.mode);
  const shows = options.cellText ?? cellSize >= 26;
  const byShare = options.mode !== "absolute";
  const longest = Math.max(...names.map((text) => text.length));
  const axis: JsonObject = {
    ticks: options.ticks,
    domain: false,
    labelOverlap: false,
    labelFontSize: Math.min(12, Math.max(6, cellSize - 2)),
    labelPadding: options.ticks ? 4 : 7,
    labelLimit: 160,
  };
  const x = { field: "predicted", type: "nominal", sort: null, title: "predicted class", scale: { domain: names } };
  const y = { field: "actual", type: "nominal", sort: null, title: "true class", scale: { domain: names } };
  const value = byShare ? "share" : "count";
  const text = (field: string, format: string, dy: number, size: number): JsonObject => ({
    mark: { type: "text", dy, fontSize: size },
    encoding: {
      text: { field, type: "quantitative", format },
      color: {
        condition: [
          { test: `luminance(scale('color', datum.${value})) < 0.36`, value: "#ffffff" },
          { test: "datum.count === 0", value: "#8a94a3" },
        ],
        value: "#1f2733",
      },
    },
  });
  // Drawn last: a frame of the view itself would lie under the cells.
  const frame: JsonObject = {
    data: { values: [{}] },
    mark: { type: "rect", fillOpacity: 0, stroke: "#56616f", strokeWidth: 1 },
    encoding: { x: { value: 0 }, x2: { value: "width" }, y: { value: 0 }, y2: { value: "height" } },
  };
  const small = Math.min(12, Math.round(cellSize * 0.29));
  const texts: Record<ConfusionMode, readonly JsonObject[]> = {
    absolute: [text("count", "d", 0, Math.min(13, small + 1))],
    normalized: [text("share", ".0%", 0, small)],
    both: [text("count", "d", -0.16 * cellSize, small), text("share", ".0%", 0.17 * cellSize, small - 1)],
  };
  return {
    name,
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: { text: options.title },
      width: cellSize * names.length,
      height: cellSize * names.length,
      data: tableReference(name, "cells"),
      encoding: {
        x: { ...x, axis: { ...axis, labelAngle: names.length > 24 ? -90 : longest * 6.5 > cellSize ? -45 : 0 } },
        y: { ...y, axis },
      },
      layer: [
        {
          mark: { type: "rect" },
          encoding: {
            color: {
              field: value,
              type: "quantitative",
              // Never an empty domain: an all-zero matrix still has a scale.
              scale: { ...colorRange(options.colormap), domain: byShare ? [0, 1] : [0, Math.max(1, ...matrix.flat())] },
              legend: options.colorBar ? colorBar(byShare, cellSize * names.length) : null,
            },
            tooltip: [
              { field: "actual", title: "true" },
              { field: "predicted", title: "predicted" },
              { field: "count", title: "images", format: "d" },
              { field: "share", title: "share of true class", format: ".1%" },
            ],
          },
        },
        ...(shows ? texts[options.mode] : []),
        ...(options.frame ? [frame] : []),
      ],
      config: {
        ...CHART_CONFIG,
        scale: { rectBandPaddingInner: cellSize >= 16 ? 1.2 / cellSize : 0, bandPaddingOuter: 0 },
      },
    },
    data: {
      cells: matrix.flatMap((row, i) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        return row.map((count, j) => ({
          actual: names[i]!,
          predicted: names[j]!,
          count,
          // A class without images has no shares; 0 keeps its row drawn and its text a number.
          share: total === 0 ? 0 : significant(count / total, 6),
        }));
      }),
    },
  };
}

function checkNames(names: readonly string[], matrix: readonly (readonly number[])[]): void {
  if (matrix.length === 0 || matrix.some((row) => row.length !== matrix.length))
    throw new Error(`a confusion matrix is square, this one has rows of ${matrix.map((row) => row.length)} cells`);
  if (names.length !== matrix.length)
    throw new DataError(`${names.length} class names for a confusion matrix of ${matrix.length} classes`);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new DataError(`the class name ${JSON.stringify(repeated)} occurs twice`);
}

/** ColorBrewer's single hues from nearly white on (Vega's own begin darker, which hides how few a cell holds). */
function colorRange(colormap: Colormap): JsonObject {
  switch (colormap) {
    case "blues":
      return {
        range: ["#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b"],
      };
    case "greens":
      return {
        range: ["#f7fcf5", "#e5f5e0", "#c7e9c0", "#a1d99b", "#74c476", "#41ab5d", "#238b45", "#006d2c", "#00441b"],
      };
    case "oranges":
      return {
        range: ["#fff5eb", "#fee6ce", "#fdd0a2", "#fdae6b", "#fd8d3c", "#f16913", "#d94801", "#a63603", "#7f2704"],
      };
    case "greys":
      return {
        range: ["#ffffff", "#f0f0f0", "#d9d9d9", "#bdbdbd", "#969696", "#737373", "#525252", "#252525", "#000000"],
      };
    case "viridis":
    case "cividis":
    case "magma":
    case "inferno":
    case "plasma":
      return { scheme: colormap };
  }
}

function fittingCellSize(classes: number, mode: ConfusionMode): number {
  if (classes <= 5) return 76;
  if (classes <= 12) return mode === "both" ? 50 : 44;
  if (classes <= 24) return mode === "both" ? 44 : 34;
  return Math.max(10, Math.floor(1000 / classes));
}

function colorBar(byShare: boolean, length: number): JsonObject {
  return {
    title: byShare ? "share of true class" : "images",
    titleOrient: "right",
    format: byShare ? ".0%" : "d",
    gradientLength: length,
    gradientThickness: 12,
    offset: 16,
  };
}
