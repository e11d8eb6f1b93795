/** Which optimiser step a minibatch belongs to, where a step takes the mean gradient of several of them. */

export interface OptimizerStep {
  /** Counted from 1, over all epochs. */
  readonly step: number;
  /** Counted from 1, over its epoch. */
  readonly inEpoch: number;
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
  const inEpoch = Math.floor(batch / accumulateSteps) + 1;
  const ends = (batch + 1) % accumulateSteps === 0 || batch + 1 === batchesPerEpoch;
  return { step: (epoch - 1) * stepsPerEpoch(batchesPerEpoch, accumulateSteps) + inEpoch, inEpoch, ends };
}
