/**
 * Labelled images on their way into a dataset: what every reader of a format (CIFAR, IDX, NumPy, CSV) and every generator
 * gives, piece by piece, so that a dataset larger than memory can be written.
 */
import { DataError } from "./data-error.ts";

export interface ImageSplit {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Hands on all images: uint8 [n, height, width, channels] and their labels [n], from image `first` on. */
  read(use: (first: number, images: Uint8Array, labels: Int32Array) => void): Promise<void>;
}

export interface ImageSplits {
  readonly train: ImageSplit;
  readonly test: ImageSplit;
  readonly classNames: readonly string[];
}

const PIECE_BYTES = 2 ** 22;

/** How many images of this size one piece should have. */
export function imagesPerPiece(imageBytes: number): number {
  return Math.max(1, Math.floor(PIECE_BYTES / imageBytes));
}

/** The names of the classes, or the numbers where they have none. Throws `DataError` for a label without a name. */
export function nameClasses(names: readonly string[] | undefined, ...labels: readonly Int32Array[]): readonly string[] {
  let highest = 0;
  for (const some of labels) for (const label of some) if (label > highest) highest = label;
  if (names === undefined) return Array.from({ length: highest + 1 }, (_, label) => String(label));
  if (highest >= names.length)
    throw new DataError(
      `there are ${names.length} class names, but the labels go up to ${highest}`,
      "labels are counted from 0: list a name for each in `classNames`",
    );
  return names;
}
