/** Generated from schemas/normalize.schema.json. Do not edit: run `npm run generate`. */

/**
 * A size in pixels: one number, or height and width.
 */
export type Size = number | [number, number];
/**
 * The least and the greatest share of the image's area that is taken.
 *
 * @minItems 2
 * @maxItems 2
 */
export type Scale = [number, number];
/**
 * The least and the greatest width divided by height of what is taken.
 *
 * @minItems 2
 * @maxItems 2
 */
export type Ratio = [number, number];
/**
 * How far it is rotated, in degrees counterclockwise. A number x stands for an angle between -x and x; two numbers are the least and the greatest angle.
 */
export type Degrees = number | [number, number];
/**
 * The least and the greatest share of the image's area that is erased.
 *
 * @minItems 2
 * @maxItems 2
 */
export type Scale1 = [number, number];
/**
 * The least and the greatest height divided by width of what is erased.
 *
 * @minItems 2
 * @maxItems 2
 */
export type Ratio1 = [number, number];
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
   * Resizes with Pillow's bits, bilinear where nothing else is said. One number is the shorter side, the other side keeps the proportion.
   */
  resize?:
    | Size
    | {
        size: Size;
        /**
         * How pixels between the given ones are made: `nearest` copies, `bilinear` and `bicubic` mix and widen where the image shrinks, each with Pillow's bits.
         */
        interpolation: "nearest" | "bilinear" | "bicubic";
      };
  /**
   * A size in pixels: one number, or height and width.
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
   * Takes a window of random area, shape and place, another one each epoch, and resizes it to this size. One number means a square.
   */
  randomResizedCrop?:
    | Size
    | {
        size: Size;
        scale: Scale;
        ratio: Ratio;
        /**
         * How the window is resized: `nearest` copies, `bilinear` and `bicubic` mix, each with Pillow's bits.
         */
        interpolation: "nearest" | "bilinear" | "bicubic";
      };
  /**
   * Exchanges left and right with this probability.
   */
  randomHorizontalFlip?: number;
  /**
   * Rotates about the centre by a random angle, another one each epoch. The size stays. A number x stands for an angle in degrees between -x and x; two numbers are the least and the greatest angle.
   */
  randomRotation?:
    | number
    | [number, number]
    | {
        degrees: Degrees;
        /**
         * How pixels between the given ones are made: `nearest` copies, `bilinear` mixes four.
         */
        interpolation: "nearest" | "bilinear";
        /**
         * The colour of what the rotated image leaves bare, 0 to 255: one number for every channel, or one for each.
         */
        fill: number | [number, ...number[]];
      };
  /**
   * Changes colours by random factors in a random order, others each epoch. One number stands for brightness, contrast and saturation alike, and leaves the hue.
   */
  colorJitter?:
    | number
    | {
        /**
         * How far the brightness is changed. A number x stands for a factor between max(0, 1 - x) and 1 + x; two numbers are the least and the greatest factor; 0 leaves it as it is.
         */
        brightness: number | [number, number];
        /**
         * How far the contrast is changed. A number x stands for a factor between max(0, 1 - x) and 1 + x; two numbers are the least and the greatest factor; 0 leaves it as it is.
         */
        contrast: number | [number, number];
        /**
         * How far the saturation is changed. A number x stands for a factor between max(0, 1 - x) and 1 + x; two numbers are the least and the greatest factor; 0 leaves it as it is.
         */
        saturation: number | [number, number];
        /**
         * How far the hue is turned, in turns of the colour circle. A number x stands for a turn between -x and x; two numbers are the least and the greatest turn; 0 leaves it as it is.
         */
        hue: number | [number, number];
      };
  /**
   * Paints over a random rectangle, another one each epoch, with this probability. Happens before pixels are scaled, unlike torchvision's.
   */
  randomErasing?:
    | number
    | {
        /**
         * How often something is erased at all.
         */
        probability: number;
        scale: Scale1;
        ratio: Ratio1;
        /**
         * What is painted: a colour, 0 to 255, or `mean`. The mean is the one that is subtracted afterwards, rounded to a whole value of a pixel, so that what is erased is nearly 0 for the model.
         */
        value: "mean" | number | [number, ...number[]];
      };
  /**
   * Paints over a square whose centre is a random pixel, another one each epoch; it may hang over the edge. A number is the side in pixels. Happens before pixels are scaled.
   */
  cutout?:
    | number
    | {
        /**
         * The side of the square in pixels.
         */
        size: number;
        /**
         * What is painted: a colour, 0 to 255, or `mean`. The mean is the one that is subtracted afterwards, rounded to a whole value of a pixel, so that what is erased is nearly 0 for the model.
         */
        value: "mean" | number | [number, ...number[]];
      };
}
