/** Which optimiser step a minibatch belongs to, where a step takes the mean gradient of several of them. */

export interface OptimizerStep {
  /** Counted from 1, over all epochs. */
  readonly step: number;
  /** The minibatch is the step's last one. */
  readonly ends: boolean;
}

/** Groups begin anew with each epoch, so an epoch's last one may be smaller. */
export function stepsPerEpoch(batchesPerEpoch: number, accumulateSteps = 1): number {
  return Math.ceil(batchesPerEpoch / accumulateSteps);
}

/** Of minibatch `batch` (from 0) of `epoch` (from 1). */
export function optimizerStepOf(
  epoch: number,
  batch: number,
  batchesPerEpoch: number,
  accumulateSteps = 1,
): OptimizerStep {
  const before = (epoch - 1) * stepsPerEpoch(batchesPerEpoch, accumulateSteps);
  const ends = (batch + 1) % accumulateSteps === 0 || batch + 1 === batchesPerEpoch;
  return { step: before + Math.floor(batch / accumulateSteps) + 1, ends };
}
