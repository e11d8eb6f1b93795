/**
 * Whether a model and the images it is given belong together. One rule for check time, where only facts are known, and
 * for a run, where the artifacts are open. Light: stages import it to check.
 */

/** What is known about a model or a dataset; a member that is no number is unknown. */
export interface ImageFacts {
  readonly classes?: unknown;
  readonly channels?: unknown;
}

export interface FitProblem {
  readonly message: string;
  readonly help: string;
}

/** `images` names the dataset in sentences: an input port. */
export function modelFitProblems(images: string, model: ImageFacts, dataset: ImageFacts): FitProblem[] {
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
  return problems;
}

function differ(a: unknown, b: unknown): boolean {
  return typeof a === "number" && typeof b === "number" && a !== b;
}

function channels(count: unknown): string {
  return count === 1 ? "1 channel" : `${count} channels`;
}
