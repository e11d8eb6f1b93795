/**
 * Lists of transforms as a pipeline writes them, `[{ resize: 120 }, { randomCrop: 110 }]`.
 *
 * The size of what comes out is known before any image is seen (`transformedSize`), so a crop that cannot fit is an
 * error at check time. What is random is drawn from the stream it is given and nothing else: the same stream, the same
 * image. Names and meaning are torchvision's.
 */
import type { Rng } from "../../rng.ts";
import { centerCrop, crop } from "./crop.ts";
import { flipHorizontal } from "./flip.ts";
import type { Image, ImageSize } from "./image.ts";
import { planResize, resizeBilinear } from "./resize.ts";

/** A number means a square, but for `resize`: there it is the shorter side, and the longer keeps the proportion. */
export type SizeSetting = number | readonly [height: number, width: number];

/** Exactly one member. */
export interface TransformSetting {
  /** Pillow's bilinear, to this size. */
  readonly resize?: SizeSetting;
  readonly centerCrop?: SizeSetting;
  /** A window drawn uniformly. With `padding`, that many zero pixels are first put around the image. */
  readonly randomCrop?: SizeSetting | { readonly size: SizeSetting; readonly padding?: number };
  /** Flipped left to right with this probability. */
  readonly randomHorizontalFlip?: number;
}

/** A transform that cannot be: `index` is its place in the list. */
export class TransformError extends Error {
  readonly index: number;
  constructor(index: number, message: string) {
    super(message);
    this.name = "TransformError";
    this.index = index;
  }
}

/** Size after all `transforms` of an image of `size`. Throws `TransformError` for a crop that does not fit. */
export function transformedSize(transforms: readonly TransformSetting[], size: ImageSize): ImageSize {
  return compileSteps(transforms, size).size;
}

/** A list made ready for images of one size: resize weights are computed once. */
export interface ImageTransform {
  readonly size: ImageSize;
  apply(image: Image, rng: Rng): Image;
}

/** Throws `TransformError` as `transformedSize` does. */
export function compileTransforms(transforms: readonly TransformSetting[], size: ImageSize): ImageTransform {
  const { steps, size: outputSize } = compileSteps(transforms, size);
  return {
    size: outputSize,
    apply(image, rng) {
      if (image.height !== size[0] || image.width !== size[1])
        throw new Error(`an image of ${image.height} x ${image.width} where ${size[0]} x ${size[1]} was declared`);
      return steps.reduce((current, step) => step(current, rng), image);
    },
  };
}

type Step = (image: Image, rng: Rng) => Image;

function compileSteps(transforms: readonly TransformSetting[], size: ImageSize) {
  const steps: Step[] = [];
  let current = size;
  for (const [index, transform] of transforms.entries()) {
    const [step, next] = compileStep(transform, current, index);
    steps.push(step);
    current = next;
  }
  return { steps, size: current };
}

function compileStep(transform: TransformSetting, size: ImageSize, index: number): [Step, ImageSize] {
  if (transform.resize !== undefined) {
    const to = resizedSize(transform.resize, size);
    const plan = planResize(size, to);
    return [(image) => resizeBilinear(image, plan), to];
  }
  if (transform.centerCrop !== undefined) {
    const to = cropSize("centerCrop", transform.centerCrop, size, 0, index);
    return [(image) => centerCrop(image, to), to];
  }
  if (transform.randomCrop !== undefined) {
    const { size: setting, padding = 0 } = isSizeSetting(transform.randomCrop)
      ? { size: transform.randomCrop }
      : transform.randomCrop;
    const to = cropSize("randomCrop", setting, size, padding, index);
    const rows = size[0] + 2 * padding - to[0] + 1;
    const columns = size[1] + 2 * padding - to[1] + 1;
    return [
      (image, rng) => {
        const top = rng.integer(rows) - padding;
        const left = rng.integer(columns) - padding;
        return crop(image, top, left, to);
      },
      to,
    ];
  }
  if (transform.randomHorizontalFlip !== undefined) {
    const probability = transform.randomHorizontalFlip;
    return [(image, rng) => (rng.uniform() < probability ? flipHorizontal(image) : image), size];
  }
  throw new TransformError(index, "a transform is one of resize, centerCrop, randomCrop, randomHorizontalFlip");
}

function isSizeSetting(setting: SizeSetting | object): setting is SizeSetting {
  return typeof setting === "number" || Array.isArray(setting);
}

/** torchvision's `Resize`: a number is the shorter side, the other one is truncated to a whole number. */
function resizedSize(setting: SizeSetting, [height, width]: ImageSize): ImageSize {
  if (typeof setting !== "number") return setting;
  if (height <= width) return [setting, Math.trunc((setting * width) / height)];
  return [Math.trunc((setting * height) / width), setting];
}

function cropSize(name: string, setting: SizeSetting, size: ImageSize, padding: number, index: number): ImageSize {
  const to: ImageSize = typeof setting === "number" ? [setting, setting] : setting;
  if (to[0] > size[0] + 2 * padding || to[1] > size[1] + 2 * padding) {
    const padded = padding > 0 ? ` with ${padding} pixels of padding on each side` : "";
    throw new TransformError(
      index,
      `${name} takes ${to[0]} x ${to[1]} pixels, but the image is ${size[0]} x ${size[1]} there${padded}`,
    );
  }
  return to;
}
