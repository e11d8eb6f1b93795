/** Generated from schemas/fetch.schema.json. Do not edit: run `npm run generate`. */

/**
 * One place to get the archive from.
 */
export type Source =
  | {
      /**
       * An http or https address.
       */
      url: string;
      sha256?: Sha256;
    }
  | {
      /**
       * The absolute path of a file on this machine. A path relative to the pipeline belongs to the input `source`.
       */
      path: string;
      sha256?: Sha256;
    };
/**
 * The sha256 of the archive in hex. May be left out for data sets whose digest tfpipe knows (cifar10, cifar100).
 */
export type Sha256 = string;

/**
 * Gets a set of labelled images, from the network, an archive, a folder or out of nothing, and writes it as tensors.
 */
export interface FetchParams {
  /**
   * What the data is. `cifar10` and `cifar100` are the binary archives, and are downloaded where no input `source` is connected. `imageFolder` takes `train/<class>/*` and `test/<class>/*` with JPEG or PNG images. `idx` takes the four files of MNIST and its family. `numpy` takes arrays: an NPZ file, or NPY files in a folder or an archive. `csv` takes a table with an image a row, as MNIST is often handed out. Folders and .tar, .tar.gz and .zip archives are read alike. `synthetic` draws images from a seed.
   */
  dataset: "cifar10" | "cifar100" | "imageFolder" | "idx" | "numpy" | "csv" | "synthetic";
  /**
   * Which labels of CIFAR-100 count: the 100 `fine` classes or the 20 `coarse` ones. Other data sets have one kind of label.
   */
  labels: "fine" | "coarse";
  /**
   * Where to get the archive, tried in order until one gives the bytes that its sha256 promises. Left empty, the data set's own address is used. Not looked at where the input `source` is connected.
   */
  sources: Source[];
  /**
   * With `imageFolder`: the size in pixels that every image is resized to (Pillow's bilinear filter), as one number or height and width. Left out, all images must have one size.
   */
  imageSize?: number | [number, number];
  /**
   * With `imageFolder`: 3 for coloured images, where grey ones get three equal channels, or 1 for grey images, where coloured ones become grey.
   */
  channels: 1 | 3;
  /**
   * With `idx`, `numpy` and `csv`: the names of the classes in the order of the labels. Left out, they are called by their numbers.
   */
  classNames?: string[];
  synthetic?: Synthetic;
  numpy?: Numpy;
  csv?: Csv;
}
/**
 * With `synthetic`: the images to draw. They depend on nothing but these settings, on every machine.
 */
export interface Synthetic {
  /**
   * `shapes` are figures (circle, square, triangle, cross, ring and so on) of random place, size and colour on a noisy ground: a small network learns them within a minute. `blobs` are noisy copies of one random picture a class, which any network learns at once.
   */
  kind: "shapes" | "blobs";
  /**
   * Number of classes: for `shapes` at most 10. Every class has as many images as the others, give or take one.
   */
  numClasses: number;
  /**
   * The size of the images in pixels, as one number or height and width.
   */
  imageSize: number | [number, number];
  /**
   * 3 for coloured images, 1 for grey ones.
   */
  channels: 1 | 3;
  /**
   * Number of images to train on.
   */
  trainCount: number;
  /**
   * Number of images to test with.
   */
  testCount: number;
  /**
   * Standard deviation of the noise on every pixel, as a part of the range of a pixel: 0.1 is 25.5 of 255.
   */
  noise: number;
  /**
   * What all images are drawn from.
   */
  seed: number;
}
/**
 * With `numpy`: which arrays are what. Images are [n, height, width] or [n, height, width, channels], labels [n].
 */
export interface Numpy {
  /**
   * The array of the images to train on, without `.npy`: `x_train`, or `train/x` for x in train.npz. Left out, the usual names are looked for, such as `x_train`, `train_images` and `train/images`.
   */
  trainImages?: string;
  /**
   * The array of their labels, such as `y_train`.
   */
  trainLabels?: string;
  /**
   * The array of the images to test with, such as `x_test`.
   */
  testImages?: string;
  /**
   * The array of their labels, such as `y_test`.
   */
  testLabels?: string;
  /**
   * Where images are floating-point numbers: the two values that become black (0) and white (255). What lies between is rounded to whole steps; what lies outside is an error. Images of whole numbers are from 0 to 255.
   *
   * @minItems 2
   * @maxItems 2
   */
  valueRange: [number, number];
}
/**
 * With `csv`: how the tables are laid out. The files are `train.csv` and `test.csv`, or end so (`mnist_train.csv`), perhaps with `.gz`.
 */
export interface Csv {
  /**
   * Height of the images in pixels.
   */
  height: number;
  /**
   * Width of the images in pixels.
   */
  width: number;
  /**
   * Values of a pixel, side by side in a row: 1 for grey images, 3 for coloured ones.
   */
  channels: 1 | 3;
  /**
   * The column of the label: its name in the header, or its number from 0. All other columns are pixels, row by row from the top left.
   */
  label: string | number;
  /**
   * Whether the first line names the columns. Without one, `label` is a number.
   */
  header: boolean;
  /**
   * What separates the columns.
   */
  delimiter: "," | ";" | "\t" | "|";
  /**
   * The two values that become black (0) and white (255). With 0 to 255 only whole numbers are taken; otherwise what lies between is rounded to whole steps. What lies outside is an error.
   *
   * @minItems 2
   * @maxItems 2
   */
  valueRange: [number, number];
}
