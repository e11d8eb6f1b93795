/** Generated from schemas/plot.schema.json. Do not edit: run `npm run generate`. */

/**
 * Draws charts of a training and its evaluation. Each chart is kept as a Vega-Lite specification, its data, and the rendered files.
 */
export interface PlotParams {
  /**
   * The charts to draw. `loss` and `accuracy` need the input `history`; `confusionMatrix` needs `confusion` or `predictions`; `examples` needs `examples` (a dataset) and `predictions`.
   *
   * @minItems 1
   */
  charts: [
    "loss" | "accuracy" | "confusionMatrix" | "examples",
    ...("loss" | "accuracy" | "confusionMatrix" | "examples")[]
  ];
  /**
   * The file formats each chart is rendered to, beside its specification and data. Text stays text in `svg` and `pdf`; a `png` has two pixels per unit.
   */
  formats: ("svg" | "pdf" | "png")[];
  /**
   * Names to show instead of the dataset's own, in the order of the class indices. There must be exactly one for each class.
   *
   * @minItems 2
   */
  classNames?: [string, string, ...string[]];
  loss: LossChart;
  accuracy: AccuracyChart;
  confusionMatrix: ConfusionMatrix;
  examples: Examples;
}
/**
 * The loss of every minibatch with its running average.
 */
export interface LossChart {
  /**
   * The chart's title.
   */
  title: string;
  /**
   * Width of the plot without its axes, in pixels.
   */
  width: number;
  /**
   * Height of the plot without its axes, in pixels.
   */
  height: number;
  /**
   * How many iterations in a row are averaged. Left out: 200, or one epoch where that is fewer; in a run of a single epoch, half of it.
   */
  runningAverage?: number;
  /**
   * Upper end of the loss axis. Left out: 1.5 times the largest loss after iteration 1,000, or after the first epoch where there are fewer iterations, so that the first spike does not flatten the rest.
   */
  yLimit?: number;
}
/**
 * The accuracy on the training and the validation images after each epoch.
 */
export interface AccuracyChart {
  /**
   * The chart's title.
   */
  title: string;
  /**
   * Width of the plot without its axes, in pixels.
   */
  width: number;
  /**
   * Height of the plot without its axes, in pixels.
   */
  height: number;
  /**
   * Lower and upper end of the accuracy axis, as fractions: [0.5, 1] shows 50 % to 100 %. What lies outside is cut off. Left out: what the values need.
   *
   * @minItems 2
   * @maxItems 2
   */
  yRange?: [number, number];
}
/**
 * How many images of each class were predicted as which class.
 */
export interface ConfusionMatrix {
  /**
   * The chart's title.
   */
  title: string;
  /**
   * What a cell shows: the number of images (`absolute`), its share of the images of the true class (`normalized`), or both. A class without images has shares of 0.
   */
  mode: "absolute" | "normalized" | "both";
  /**
   * The colour map. Each of them also reads in grey.
   */
  colormap: "blues" | "greens" | "oranges" | "greys" | "viridis" | "cividis" | "magma" | "inferno" | "plasma";
  /**
   * Edge of a cell in pixels. Left out: chosen by the number of classes.
   */
  cellSize?: number;
  /**
   * Whether cells show their numbers. Left out: where cells are large enough to read them.
   */
  cellText?: boolean;
  /**
   * Whether the matrix has a frame.
   */
  frame: boolean;
  /**
   * Whether the axes have tick marks.
   */
  ticks: boolean;
  /**
   * Whether there is a colour bar.
   */
  colorBar: boolean;
}
/**
 * A grid of images as the model saw them, before mean and deviation were taken off, each with its predicted and its true class. Wrong ones are marked.
 */
export interface Examples {
  /**
   * The chart's title.
   */
  title: string;
  /**
   * Rows of the grid.
   */
  gridRows: number;
  /**
   * Columns of the grid.
   */
  gridColumns: number;
  /**
   * Which images are shown: the first ones of the dataset, ones at equal distances through it (`spread`, for a dataset that is sorted by class), or the first wrong or correct ones.
   */
  pick: "first" | "spread" | "wrong" | "correct";
  /**
   * Longer edge of an image on the chart, in pixels. Small images are enlarged by whole pixels.
   */
  tileSize: number;
}
