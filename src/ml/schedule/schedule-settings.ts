/**
 * Learning-rate schedules as plain data. Names and rules are PyTorch's (`torch.optim.lr_scheduler`); defaults live in the
 * train schema. A schedule moves once an epoch, or once a step where it says `per: step`; what it counts (`stepSize`,
 * `milestones`) it counts in the same unit.
 */

export type ScheduleSettings = OpenLoopSchedule | PlateauSchedule;

/** Schedules whose rates are known before training: a pure function of the step. */
export type OpenLoopSchedule = RecurrentSchedule | OneCycleSchedule;

/** Those where each rate follows from the one before. */
export type RecurrentSchedule = ConstantSchedule | StepSchedule | MultistepSchedule | CosineSchedule;

/** How often the rate moves. Left out: once an epoch. */
export type Tick = "step" | "epoch";

/**
 * PyTorch's `LinearLR`: from `startFactor` times the base rate to the base rate. The schedule proper starts behind it, as
 * in PyTorch's `SequentialLR`; one that moves once an epoch counts the epoch in which the warm-up ends as its first.
 */
export interface Warmup {
  /** How long it is: one of the two. A fraction of an epoch only where it rises per step. */
  readonly epochs?: number;
  readonly steps?: number;
  /** Left out: once an epoch where its length is given in epochs. */
  readonly per?: Tick;
  readonly startFactor: number;
}

export interface ConstantSchedule {
  readonly type: "constant";
  readonly per?: Tick;
  readonly warmup?: Warmup;
}

/** Times `gamma` every `stepSize` ticks. */
export interface StepSchedule {
  readonly type: "step";
  readonly stepSize: number;
  readonly gamma: number;
  readonly per?: Tick;
  readonly warmup?: Warmup;
}

/** Times `gamma` after each number of ticks in `milestones`. */
export interface MultistepSchedule {
  readonly type: "multistep";
  readonly milestones: readonly number[];
  readonly gamma: number;
  readonly per?: Tick;
  readonly warmup?: Warmup;
}

/** Half a cosine from the base rate to `minLr` over `epochs` epochs (Loshchilov & Hutter 2017, without restarts). */
export interface CosineSchedule {
  readonly type: "cosine";
  /** Left out: all epochs of the training behind the warm-up. */
  readonly epochs?: number;
  readonly minLr: number;
  readonly per?: Tick;
  readonly warmup?: Warmup;
}

/**
 * PyTorch's `OneCycleLR` over all steps of the training (Smith & Topin 2018): up from the base rate / `divFactor` to the
 * base rate, then down to the start / `finalDivFactor`, while the momentum goes the other way.
 */
export interface OneCycleSchedule {
  readonly type: "oneCycle";
  /** The part of the steps in which the rate rises. */
  readonly pctStart: number;
  readonly divFactor: number;
  readonly finalDivFactor: number;
  readonly annealStrategy: "cos" | "linear";
  readonly cycleMomentum: boolean;
  readonly baseMomentum: number;
  readonly maxMomentum: number;
}

/** `ReduceLROnPlateau`: times `factor` when the metric has not improved for more than `patience` epochs. */
export interface PlateauSchedule {
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
  readonly warmup?: Warmup;
}

/** `minibatchLoss` is the loss of the epoch's last minibatch. */
export type PlateauMetric = "validAccuracy" | "validLoss" | "trainLoss" | "minibatchLoss";
