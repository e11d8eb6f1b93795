/** What must happen to an image before a model sees it: written beside every export, since no weight says it. */
import { canonicalJson, type JsonObject } from "../../json.ts";
import type { Dataset } from "../data/dataset.ts";
import type { TransformSetting } from "../transforms/transform-list.ts";

export interface Preprocessing {
  /** Height and width at which the model was trained, after all transforms. */
  readonly imageSize?: readonly [number, number];
  readonly imageChannels: number;
  /** Of evaluation, in order: `{ resize: 120 }`, `{ centerCrop: 110 }`. */
  readonly transforms?: readonly TransformSetting[];
  /** Per channel, in units of 0..1: x = (pixel / 255 - mean) / std. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** By index of the logits. */
  readonly classNames?: readonly string[];
}

export const PREPROCESSING_FILE = "preprocessing.json";

export interface PreparedDataset extends Pick<Dataset, "transform" | "transformedSize" | "classNames"> {
  /** Its transforms draw nothing. */
  readonly forEvaluation: boolean;
}

export function describePreprocessing(imageChannels: number, dataset: PreparedDataset | undefined): Preprocessing {
  if (dataset === undefined) return { imageChannels };
  const { transform, transformedSize, classNames, forEvaluation } = dataset;
  return {
    imageChannels,
    imageSize: [transformedSize[0], transformedSize[1]],
    classNames,
    ...(transform !== undefined && { mean: transform.mean, std: transform.std }),
    ...(transform !== undefined && forEvaluation && { transforms: transform.transforms }),
  };
}

export function preprocessingText(preprocessing: Preprocessing, architecture: JsonObject): string {
  return `${canonicalJson({ ...(preprocessing as unknown as JsonObject), architecture })}\n`;
}
