/** What each transform of a list becomes, and how one says that it cannot be. */
import type { Rng } from "../../rng.ts";
import type { Image, ImageSize } from "./image.ts";

/** The images that a transform will be given, as far as they are known. */
export interface TransformInput {
  readonly size: ImageSize;
  readonly channels?: number;
}

/** A transform made ready for images of one size. */
export interface CompiledTransform {
  /** Of what comes out. */
  readonly size: ImageSize;
  /** Draws from `rng` and nothing else; does not write to `image`, but may return it. */
  apply(image: Image, rng: Rng): Image;
}

/** A transform that cannot be. */
export class TransformError extends Error {
  /** Its place in the list. */
  readonly index: number;
  /** What in it is wrong, where it is not the whole: `["randomErasing", "scale"]`. */
  readonly path: readonly string[];
  readonly help: string | undefined;
  constructor(index: number, problem: TransformProblem) {
    super(problem.message);
    this.name = "TransformError";
    this.index = index;
    this.path = problem.path ?? [];
    this.help = problem.help;
  }
}

/** Thrown by a transform that does not know its place in the list; the list makes a `TransformError` of it. */
export class TransformProblem extends Error {
  readonly path: readonly string[] | undefined;
  readonly help: string | undefined;
  constructor(message: string, help?: string, path?: readonly string[]) {
    super(message);
    this.help = help;
    this.path = path;
  }
}
