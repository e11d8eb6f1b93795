/** Generated from schemas/evaluate.schema.json. Do not edit: run `npm run generate`. */

/**
 * Settings of an evaluate stage: how a trained model is measured on images it has not seen.
 */
export interface EvaluateParams {
  /**
   * Images per forward pass. It changes results by rounding at most.
   */
  batchSize: number;
  /**
   * Measures the mean of the logits of each image and of its mirror image, left for right: twice the work for some tenths of a percent. Left out, each image is seen once, as it is.
   */
  averageFlips?: boolean;
}
