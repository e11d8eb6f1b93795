/**
 * A grid of images as the model saw them before mean and deviation were taken off, each titled `P: cat / T: dog`.
 *
 * A wrong prediction has a coloured frame, a coloured title and a cross in the corner: the cross says it in grey too.
 * The images lie in the data file as PNG data URIs, so the chart needs no other file.
 */
import type { JsonObject } from "../../json.ts";
import type { Chart } from "./chart.ts";
import { CHART_CONFIG, PALETTE, STRONG, significant, tableReference, VEGA_LITE_SCHEMA } from "./chart.ts";

export interface Example {
  /** Row in the dataset. */
  readonly index: number;
  /** `data:image/png;base64,...` */
  readonly image: string;
  readonly actual: string;
  readonly predicted: string;
  /** Of the predicted class. */
  readonly probability: number;
}

export interface ExamplesChartOptions {
  readonly title: string;
  readonly gridColumns: number;
  /** Pixels of the images' longer edge, on the chart. */
  readonly tileSize: number;
  /** Height of an image over its width. */
  readonly aspect: number;
}

const TITLE_FONT_SIZE = 11.5;
const TITLE_HEIGHT = 30;
const GAP = 12;

/** One tile per example, row by row. Throws where there is none. */
export function drawExamplesChart(examples: readonly Example[], options: ExamplesChartOptions): Chart {
  if (examples.length === 0) throw new Error("there is no image to show");
  const name = "examples";
  const { tileSize, aspect } = options;
  const [imageWidth, imageHeight] = aspect > 1 ? [tileSize / aspect, tileSize] : [tileSize, tileSize * aspect];
  const titles = examples.map(({ predicted, actual }) => `P: ${predicted} / T: ${actual}`);
  // 0.5 em is about the mean advance of the font's lower case; what is longer still ends in an ellipsis.
  const titleWidth = Math.max(...titles.map((title) => title.length)) * TITLE_FONT_SIZE * 0.5;
  const pitchX = Math.ceil(Math.max(imageWidth, Math.min(titleWidth, 2 * tileSize)) + GAP);
  const pitchY = Math.ceil(imageHeight + TITLE_HEIGHT + GAP);
  const columns = Math.min(options.gridColumns, examples.length);
  const rows = Math.ceil(examples.length / columns);
  const tiles = examples.map((example, i) => {
    const centre = (i % columns) * pitchX + pitchX / 2;
    const top = Math.floor(i / columns) * pitchY + TITLE_HEIGHT;
    return {
      index: example.index,
      image: example.image,
      title: titles[i]!,
      actual: example.actual,
      predicted: example.predicted,
      probability: significant(example.probability, 4),
      wrong: example.actual !== example.predicted,
      left: centre - imageWidth / 2,
      right: centre + imageWidth / 2,
      top,
      bottom: top + imageHeight,
      x: centre,
      y: top + imageHeight / 2,
      titleY: top - 15,
      badgeX: centre + imageWidth / 2 - 2,
      badgeY: top + 3,
    };
  });
  const wrong = tiles.filter((tile) => tile.wrong).length;
  const pixel = (field: string, size: number, reverse: boolean): JsonObject => ({
    field,
    type: "quantitative",
    axis: null,
    scale: { domain: [0, size], nice: false, zero: false, reverse },
  });
  const x = (field: string) => pixel(field, columns * pitchX, false);
  const y = (field: string) => pixel(field, rows * pitchY, true);
  const titleLayer = (filter: string, mark: JsonObject): JsonObject => ({
    mark: { type: "text", fontSize: TITLE_FONT_SIZE, baseline: "middle", limit: pitchX - 6, ...mark },
    transform: [{ filter }],
    encoding: { x: x("x"), y: y("titleY"), text: { field: "title" } },
  });
  const onlyWrong = [{ filter: "datum.wrong" }];
  return {
    name,
    grammar: "vega-lite",
    spec: {
      $schema: VEGA_LITE_SCHEMA,
      title: {
        text: options.title,
        subtitle: `P: predicted, T: true class. ${wrong} of ${tiles.length} wrong, framed and marked with a cross.`,
      },
      width: columns * pitchX,
      height: rows * pitchY,
      data: tableReference(name, "tiles"),
      layer: [
        {
          mark: { type: "image", width: imageWidth, height: imageHeight, aspect: false },
          encoding: {
            x: x("x"),
            y: y("y"),
            url: { field: "image" },
            tooltip: [
              { field: "predicted", title: "predicted" },
              { field: "probability", title: "with probability", format: ".1%" },
              { field: "actual", title: "true" },
              { field: "index", title: "image number", format: "d" },
            ],
          },
        },
        {
          mark: { type: "rect", fillOpacity: 0, strokeWidth: 3, stroke: PALETTE.vermillion },
          transform: onlyWrong,
          encoding: { x: x("left"), x2: { field: "right" }, y: y("top"), y2: { field: "bottom" } },
        },
        titleLayer("!datum.wrong", {}),
        titleLayer("datum.wrong", { color: PALETTE.vermillion, fontWeight: STRONG }),
        {
          mark: { type: "point", shape: "circle", size: 330, filled: true, opacity: 1, color: PALETTE.vermillion },
          transform: onlyWrong,
          encoding: { x: x("badgeX"), y: y("badgeY") },
        },
        {
          mark: {
            type: "point",
            shape: "M-1,-1L1,1M-1,1L1,-1",
            size: 64,
            filled: false,
            opacity: 1,
            stroke: "#ffffff",
            strokeWidth: 2,
          },
          transform: onlyWrong,
          encoding: { x: x("badgeX"), y: y("badgeY") },
        },
      ],
      config: CHART_CONFIG,
    },
    data: { tiles },
  };
}
