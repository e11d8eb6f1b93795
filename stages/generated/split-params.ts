/** Generated from schemas/split.schema.json. Do not edit: run `npm run generate`. */

/**
 * Divides one dataset into several. No pixels are copied: each part keeps the list of images it takes.
 */
export interface SplitParams {
  /**
   * The share of the images that each part takes, by the name of the output it becomes. The shares add up to 1. `valid`, then `test`, then other names in alphabetical order take the whole number of images below their share from the front of the shuffled list; `train` takes the rest.
   */
  fractions: {
    [k: string]: number;
  };
  /**
   * How the images are put in order before they are divided. `numpy` gives exactly the order of `np.random.seed(seed); np.random.shuffle(indices)`. `stratified` divides every class in the same shares. `none` keeps the dataset's order.
   */
  shuffle: "numpy" | "stratified" | "none";
  /**
   * The seed of the shuffle. With `shuffle: numpy` at most 4294967295, as NumPy demands.
   */
  seed: number;
}
