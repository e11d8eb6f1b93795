/**
 * Lists of transforms as a pipeline writes them, `[{ resize: 120 }, { randomCrop: 110 }]`.
 *
 * The size of what comes out is known before any image is seen (`transformedSize`), so a crop that cannot fit is an
 * error at check time. What is random is drawn from the stream it is given and nothing else: the same stream, the same
 * image. Names and meaning are torchvision's; each transform has a file of its own, and this one the table of them.
 */
import { type CenterCropSetting, compileCenterCrop } from "./center-crop.ts";
import { type ColorJitterSetting, compileColorJitter } from "./color-jitter.ts";
import { type CompiledTransform, TransformError, type TransformInput, TransformProblem } from "./compiled-transform.ts";
import { type CutoutSetting, compileCutout } from "./cutout.ts";
import { meanColor } from "./erased-value.ts";
import type { ImageSize } from "./image.ts";
import { compileRandomCrop, type RandomCropSetting } from "./random-crop.ts";
import { compileRandomErasing, type RandomErasingSetting } from "./random-erasing.ts";
import { compileRandomHorizontalFlip, type RandomHorizontalFlipSetting } from "./random-flip.ts";
import { compileRandomResizedCrop, type RandomResizedCropSetting } from "./random-resized-crop.ts";
import { compileRandomRotation, type RandomRotationSetting } from "./random-rotation.ts";
import { compileResize, type ResizeSetting } from "./resize-to.ts";

interface TransformSettings {
  readonly resize: ResizeSetting;
  readonly centerCrop: CenterCropSetting;
  readonly randomCrop: RandomCropSetting;
  readonly randomResizedCrop: RandomResizedCropSetting;
  readonly randomHorizontalFlip: RandomHorizontalFlipSetting;
  readonly randomRotation: RandomRotationSetting;
  readonly colorJitter: ColorJitterSetting;
  readonly randomErasing: RandomErasingSetting;
  readonly cutout: CutoutSetting;
}

type TransformName = keyof TransformSettings;

/** Exactly one member. */
export type TransformSetting = Partial<TransformSettings>;

const TRANSFORMS: {
  readonly [Name in TransformName]: (setting: TransformSettings[Name], input: TransformInput) => CompiledTransform;
} = {
  resize: compileResize,
  centerCrop: compileCenterCrop,
  randomCrop: compileRandomCrop,
  randomResizedCrop: compileRandomResizedCrop,
  randomHorizontalFlip: compileRandomHorizontalFlip,
  randomRotation: compileRandomRotation,
  colorJitter: compileColorJitter,
  randomErasing: compileRandomErasing,
  cutout: compileCutout,
};

/** Size after all `transforms` of an image of `size`. Throws `TransformError` for a transform that cannot be. */
export function transformedSize(
  transforms: readonly TransformSetting[],
  size: ImageSize,
  channels?: number,
): ImageSize {
  return compileSteps(transforms, size, channels).size;
}

/** Throws `TransformError` for a transform that cannot be, whatever the size of the images. */
export function checkTransforms(transforms: readonly TransformSetting[], channels?: number): void {
  for (const [index, transform] of transforms.entries())
    compileStep(
      transform,
      { size: [LARGEST_SIDE, LARGEST_SIDE], ...(channels === undefined ? {} : { channels }) },
      index,
    );
}

/** Images are not larger, nor are the sizes that a pipeline can ask for. */
const LARGEST_SIDE = 16384;

/** Throws `TransformError` as `transformedSize` does. What `mean` erases with must be filled in (`fillInMean`). */
export function compileTransforms(transforms: readonly TransformSetting[], size: ImageSize): CompiledTransform {
  const { steps, size: outputSize } = compileSteps(transforms, size, undefined);
  return {
    size: outputSize,
    apply(image, rng) {
      if (image.height !== size[0] || image.width !== size[1])
        throw new Error(`an image of ${image.height} x ${image.width} where ${size[0]} x ${size[1]} was declared`);
      return steps.reduce((current, step) => step.apply(current, rng), image);
    },
  };
}

/** `transforms` with numbers where they erase with the mean: `mean` of each channel, in units of 0..1. */
export function fillInMean(
  transforms: readonly TransformSetting[],
  mean: readonly number[],
): readonly TransformSetting[] {
  const value = meanColor(mean);
  return transforms.map(({ randomErasing, cutout, ...others }) => {
    if (randomErasing !== undefined) {
      const given = typeof randomErasing === "number" ? { probability: randomErasing } : randomErasing;
      return { randomErasing: (given.value ?? "mean") === "mean" ? { ...given, value } : given };
    }
    if (cutout !== undefined) {
      const given = typeof cutout === "number" ? { size: cutout } : cutout;
      return { cutout: (given.value ?? "mean") === "mean" ? { ...given, value } : given };
    }
    return others;
  });
}

function compileSteps(transforms: readonly TransformSetting[], size: ImageSize, channels: number | undefined) {
  let input: TransformInput = { size, ...(channels === undefined ? {} : { channels }) };
  const steps = transforms.map((transform, index) => {
    const step = compileStep(transform, input, index);
    input = { ...input, size: step.size };
    return step;
  });
  return { steps, size: input.size };
}

function compileStep(transform: TransformSetting, input: TransformInput, index: number): CompiledTransform {
  try {
    for (const name of Object.keys(TRANSFORMS) as TransformName[])
      if (transform[name] !== undefined) return compileNamed(name, transform[name], input);
    throw new TransformProblem(`a transform is one of ${Object.keys(TRANSFORMS).join(", ")}`);
  } catch (error) {
    if (error instanceof TransformProblem) throw new TransformError(index, error);
    throw error;
  }
}

function compileNamed<Name extends TransformName>(
  name: Name,
  setting: TransformSettings[Name],
  input: TransformInput,
): CompiledTransform {
  return TRANSFORMS[name](setting, input);
}
