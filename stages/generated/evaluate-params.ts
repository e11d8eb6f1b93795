/** Generated from schemas/evaluate.schema.json. Do not edit: run `npm run generate`. */

/**
 * Settings of an evaluate stage: how a trained model is measured on images it has not seen.
 */
export interface EvaluateParams {
  /**
   * Images per forward pass. It changes results by rounding at most.
   */
  batchSize: number;
}
