/** A sweep as it is given on the command line, before anything of it is read. */
import { GRID_FILE, RANDOM_FILE } from "./pseudo-files.ts";

export interface SweepWords {
  /** `learningRate=0.1,0.01`. */
  readonly grid: readonly string[];
  /** `learningRate=log(1e-3..1e-1)`. */
  readonly random: readonly string[];
  /** How often the random ones are drawn. */
  readonly trials: number;
  readonly seed: number;
}

/** What spans into it point into. */
export function sweepTexts(words: SweepWords | undefined): readonly (readonly [file: string, text: string])[] {
  if (words === undefined) return [];
  return [
    [GRID_FILE, words.grid.join("\n")],
    [RANDOM_FILE, words.random.join("\n")],
  ];
}
