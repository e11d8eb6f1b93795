/**
 * Whether a model and the images it is given belong together. One rule for check time, where only facts are known, and
 * for a run, where the artifacts are open. Light: stages import it to check.
 */
import { type ArchitectureSpec, smallestImage } from "../models/architecture.ts";

/** What is known about a model; a member of another type is unknown. */
export interface ModelFacts {
  readonly classes?: unknown;
  readonly channels?: unknown;
  /** An `ArchitectureSpec`. */
  readonly spec?: unknown;
}

/** What is known about a dataset; a member that is no number is unknown. */
export interface ImageFacts {
  readonly classes?: unknown;
  readonly channels?: unknown;
  /** As the model gets them: after the transform. */
  readonly height?: unknown;
  readonly width?: unknown;
}

export interface FitProblem {
  readonly message: string;
  readonly help: string;
}

/** `images` names the dataset in sentences: an input port. */
export function modelFitProblems(images: string, model: ModelFacts, dataset: ImageFacts): FitProblem[] {
  const problems: FitProblem[] = [];
  if (differ(model.classes, dataset.classes))
    problems.push({
      message: `the model tells ${model.classes} classes apart, and the images of \`${images}\` have ${dataset.classes}`,
      help: `set \`numClasses: ${dataset.classes}\` where the model is built`,
    });
  if (differ(model.channels, dataset.channels))
    problems.push({
      message: `the model takes images of ${channels(model.channels)}, and those of \`${images}\` have ${channels(dataset.channels)}`,
      help: `set \`imageChannels: ${dataset.channels}\` where the model is built`,
    });
  const { height, width } = dataset;
  if (isSpec(model.spec) && typeof height === "number" && typeof width === "number") {
    const smallest = smallestImage(model.spec);
    if (Math.min(height, width) < smallest)
      problems.push({
        message: `${model.spec.architecture} leaves nothing of images below ${smallest} x ${smallest} pixels, and those of \`${images}\` are ${height} x ${width}`,
        help: `resize or crop to ${smallest} pixels or more where the images are normalized, or choose a ResNet`,
      });
  }
  return problems;
}

function differ(a: unknown, b: unknown): boolean {
  return typeof a === "number" && typeof b === "number" && a !== b;
}

function isSpec(spec: unknown): spec is ArchitectureSpec {
  return typeof spec === "object" && spec !== null;
}

function channels(count: unknown): string {
  return count === 1 ? "1 channel" : `${count} channels`;
}
