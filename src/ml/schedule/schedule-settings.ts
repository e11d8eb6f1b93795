/**
 * Learning-rate schedules as plain data. Names and rules are PyTorch's (`torch.optim.lr_scheduler`); defaults live in the
 * train schema. Rates change between epochs, never within one.
 */

export type ScheduleSettings = OpenLoopSchedule | PlateauSchedule;

/** Schedules whose rates are known before training: a pure function of the epoch. */
export type OpenLoopSchedule = ConstantSchedule | StepSchedule | MultistepSchedule | CosineSchedule;

interface ScheduleBase {
  /** Rises linearly first; the schedule proper starts behind it, as in PyTorch's `SequentialLR`. */
  readonly warmup?: Warmup;
}

/** PyTorch's `LinearLR`: from `startFactor` times the base rate to the base rate over `epochs` epochs. */
export interface Warmup {
  readonly epochs: number;
  readonly startFactor: number;
}

export interface ConstantSchedule extends ScheduleBase {
  readonly type: "constant";
}

/** Times `gamma` every `stepSize` epochs. */
export interface StepSchedule extends ScheduleBase {
  readonly type: "step";
  readonly stepSize: number;
  readonly gamma: number;
}

/** Times `gamma` after each number of epochs in `milestones`. */
export interface MultistepSchedule extends ScheduleBase {
  readonly type: "multistep";
  readonly milestones: readonly number[];
  readonly gamma: number;
}

/** Half a cosine from the base rate to `minLr` over `epochs` epochs (Loshchilov & Hutter 2017, without restarts). */
export interface CosineSchedule extends ScheduleBase {
  readonly type: "cosine";
  /** Left out: all epochs of the training behind the warm-up. */
  readonly epochs?: number;
  readonly minLr: number;
}

/** `ReduceLROnPlateau`: times `factor` when the metric has not improved for more than `patience` epochs. */
export interface PlateauSchedule extends ScheduleBase {
  readonly type: "plateau";
  readonly metric: PlateauMetric;
  /** Which way is better. `auto`: max for an accuracy, min for a loss. */
  readonly mode: "auto" | "min" | "max";
  readonly factor: number;
  readonly patience: number;
  readonly threshold: number;
  readonly thresholdMode: "rel" | "abs";
  readonly cooldown: number;
  readonly minLr: number;
}

/** `minibatchLoss` is the loss of the epoch's last minibatch. */
export type PlateauMetric = "validAccuracy" | "validLoss" | "trainLoss" | "minibatchLoss";
