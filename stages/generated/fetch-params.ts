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
 * Gets a set of labelled images, from the network, an archive or a folder, and writes it as tensors.
 */
export interface FetchParams {
  /**
   * What the data is. `cifar10` and `cifar100` are the binary archives, and are downloaded where no input `source` is connected. `imageFolder` takes `train/<class>/*` and `test/<class>/*` with JPEG or PNG images. `idx` takes the four files of MNIST and its family. Folders and .tar, .tar.gz and .zip archives are read alike.
   */
  dataset: "cifar10" | "cifar100" | "imageFolder" | "idx";
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
   * With `idx`: the names of the classes in the order of the labels. Left out, they are called by their numbers.
   */
  classNames?: string[];
}
