/** Generated from schemas/normalize.schema.json. Do not edit: run `npm run generate`. */

/**
 * A size in pixels: one number, or height and width.
 */
export type Size = number | [number, number];
/**
 * One number per channel, or `measured`.
 */
export type Mean = "measured" | number[];
/**
 * One number per channel, or `measured`.
 */
export type Std = "measured" | number[];

/**
 * Says how images are transformed and scaled when they are read, and measures the statistics of their channels. Writes no pixels.
 */
export interface NormalizeParams {
  /**
   * The transforms of the input named `train`, first to last.
   */
  train: Transform[];
  /**
   * The transforms of every other input, first to last.
   */
  eval: Transform[];
  /**
   * The mean of each channel in units of 0..1, subtracted from every pixel; `measured` takes that of the input named `train`.
   */
  mean: "measured" | number[];
  /**
   * The standard deviation of each channel in units of 0..1, by which every pixel is divided; `measured` takes that of the input named `train`.
   */
  std: "measured" | number[];
  /**
   * Another mean or standard deviation for single inputs, by their name, where a published recipe evaluates with other values than it trains with.
   */
  override: {
    [k: string]: {
      mean?: Mean;
      std?: Std;
    };
  };
  /**
   * The seed of the random transforms.
   */
  seed: number;
}
/**
 * One transform: exactly one of the settings below.
 */
export interface Transform {
  /**
   * Resizes with Pillow's bilinear filter. One number is the shorter side, the other side keeps the proportion.
   */
  resize?: number | [number, number];
  /**
   * Takes the middle. One number means a square.
   */
  centerCrop?: number | [number, number];
  /**
   * Takes a window at a random place, another one each epoch. One number means a square.
   */
  randomCrop?:
    | Size
    | {
        size: Size;
        /**
         * How many black pixels are put around the image before.
         */
        padding?: number;
      };
  /**
   * Exchanges left and right with this probability.
   */
  randomHorizontalFlip?: number;
}
