/**
 * What a chart is: a Vega-Lite or Vega specification, the tables it draws, and nothing rendered yet.
 *
 * The specification reads its tables by relative URL out of `<name>.data.json`, so that the two files, put in one
 * folder, open in any Vega tool and can be restyled without us. It also carries its whole theme. Nothing in a chart
 * depends on a clock, a path or a random number: same data, same chart.
 */
import type { JsonObject } from "../../json.ts";
import { canonicalJson } from "../../json.ts";

export interface Chart {
  /** Base name of its files. */
  readonly name: string;
  readonly grammar: "vega-lite" | "vega";
  readonly spec: JsonObject;
  /** Tables by name: lists of rows. */
  readonly data: JsonObject;
}

/** Okabe and Ito's palette (2008), which people with any colour vision tell apart; also apart in grey. */
export const PALETTE = {
  blue: "#0072B2",
  skyBlue: "#56B4E9",
  vermillion: "#D55E00",
  orange: "#E69F00",
} as const;

export const VEGA_LITE_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json";

/** The family that `render-chart.ts` embeds, and what a viewer without it may use. */
export const FONT_FAMILY = "Inter, Arial, sans-serif";
export const STRONG = 600;

const INK = "#1f2733";
const SOFT_INK = "#56616f";
const HAIRLINE = "#e3e7ec";
const AXIS_LINE = "#9aa4b1";

/** One look for all charts. */
export const CHART_CONFIG: JsonObject = {
  font: FONT_FAMILY,
  background: "#ffffff",
  padding: 18,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "group",
    color: INK,
    fontSize: 17,
    fontWeight: STRONG,
    offset: 14,
    subtitleColor: SOFT_INK,
    subtitleFontSize: 12,
    subtitleFontWeight: 400,
    subtitlePadding: 5,
  },
  axis: {
    domainColor: AXIS_LINE,
    tickColor: AXIS_LINE,
    tickSize: 4,
    gridColor: HAIRLINE,
    labelColor: SOFT_INK,
    labelFontSize: 11,
    labelFontWeight: 400,
    labelPadding: 4,
    labelFlush: false,
    titleColor: INK,
    titleFontSize: 12,
    titleFontWeight: 400,
    titlePadding: 9,
  },
  legend: {
    labelColor: INK,
    labelFontSize: 12,
    labelFontWeight: 400,
    titleColor: INK,
    titleFontSize: 12,
    titleFontWeight: 400,
    titlePadding: 7,
    rowPadding: 4,
    symbolStrokeWidth: 2,
    symbolSize: 90,
  },
  text: { color: INK, fontSize: 12 },
};

/** A specification's `data` member for one of the chart's tables. */
export function tableReference(chart: string, table: string): JsonObject {
  // Named, since Vega-Lite takes two sources of one URL for the same unless their names differ.
  return { name: table, url: dataFileName(chart), format: { type: "json", property: table } };
}

export function dataFileName(chart: string): string {
  return `${chart}.data.json`;
}

/** The chart's two source files by name, as canonical text. */
export function chartFiles(chart: Chart): Readonly<Record<string, string>> {
  const extension = chart.grammar === "vega-lite" ? "vl" : "vg";
  return {
    [`${chart.name}.${extension}.json`]: `${canonicalJson(chart.spec)}\n`,
    [dataFileName(chart.name)]: `${canonicalJson(chart.data)}\n`,
  };
}

/** `value` to `digits` significant digits: a chart needs no more, and its data file stays small. */
export function significant(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

/** The step from 1, 2, 5, 10, 20, ... that cuts `span` into at most `most` parts. */
export function niceStep(span: number, most: number): number {
  for (let power = 1; ; power *= 10)
    for (const digit of [1, 2, 5]) if (span / (digit * power) <= most) return digit * power;
}
