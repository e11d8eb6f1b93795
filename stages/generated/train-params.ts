/** Generated from schemas/train.schema.json. Do not edit: run `npm run generate`. */

/**
 * The base learning rate, which the schedule changes.
 */
export type LearningRate = number;
/**
 * How often the rate moves: once an epoch or once an optimiser step. What the schedule counts in (`stepSize`, `milestones`) is the same. Left out, once an epoch.
 */
export type Per = "epoch" | "step";
/**
 * Which epochs' checkpoints `pipe gc` leaves alone, as long as a run of this training is kept: `all`, the `last`, the `best`, or `every 5`th and the last. The others it takes first; until then all of them stay, so that any shorter training is at hand. Where `select` is `best`, `last` and `every` keep the best one too.
 */
export type AllLastBestOrEveryN = string;

/**
 * Settings of a train stage: how long, with which optimiser and schedule, and what is measured on the way. Names and rules are PyTorch's. Every epoch leaves a checkpoint, so more epochs go on from where fewer ended.
 */
export interface TrainParams {
  /**
   * How many times the training images are gone through. Raising it trains only the epochs that are new, unless the schedule depends on it.
   */
  epochs: number;
  /**
   * Images per minibatch: of one optimiser step, unless `accumulateSteps` makes a step of several.
   */
  batchSize: number;
  /**
   * Leaves out the last batch of an epoch where it is smaller than the others.
   */
  dropLast: boolean;
  /**
   * The optimiser and its base learning rate.
   */
  optimizer: Sgd | Adam | Adamw | Rmsprop | Lars;
  /**
   * How many minibatches make one optimiser step, which takes the mean of their gradients: a larger batch in the memory of a smaller one. Batch norm still sees each minibatch alone. The last step of an epoch takes the mean of the minibatches that are left. Checkpoints are at whole optimiser steps.
   */
  accumulateSteps: number;
  /**
   * Bounds each optimiser step's gradient, either by `norm` or by `value`. Left out, nothing is bounded.
   */
  clipGradient?: {
    /**
     * Scales all gradients together so that their L2 norm over all parameters is no more than this, as torch.nn.utils.clip_grad_norm_. A norm that is not finite ends the training with an error. Holds all gradients at once, in as much memory as the parameters take.
     */
    norm?: number;
    /**
     * Bounds each element to between minus this and this, as torch.nn.utils.clip_grad_value_.
     */
    value?: number;
  };
  /**
   * Keeps an exponential moving average of the weights beside them, as torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn. It is what the passes over images after each epoch measure, and so what decides on the best epoch, a plateau or an early stop, and it is the resulting model; the optimiser goes on with the weights themselves. Checkpoints hold both. Left out, there is none.
   */
  weightAverage?: {
    /**
     * How much of the average is kept at each optimiser step.
     */
    decay: number;
    /**
     * After how many epochs averaging begins, with a copy of the weights after the next optimiser step. Until then the weights themselves are measured.
     */
    start: number;
    /**
     * Averages the running means and variances of batch norms too. Otherwise the averaged model has the latest ones, as PyTorch's default.
     */
    useBuffers: boolean;
  };
  /**
   * How the learning rate changes, from epoch to epoch or from step to step.
   */
  schedule: Constant | Step | Multistep | Cosine | OneCycle | Plateau;
  /**
   * How much of each label is spread evenly over all classes, as torch.nn.CrossEntropyLoss(label_smoothing). The recorded training loss is the smoothed one; losses on validation images are not smoothed. Left out, nothing is spread.
   */
  labelSmoothing?: number;
  /**
   * Trains on blends: each image and its label are mixed with another of the batch, by one share per step (Zhang et al. 2018). Left out, images stay as they are.
   */
  mixup?: {
    /**
     * The share is drawn from Beta(alpha, alpha): 0.2 leaves most batches nearly as they are, 1 draws every share alike.
     */
    alpha: number;
  };
  /**
   * How the accuracy on the training images is measured after each epoch: `eval` goes through all of them once more in eval mode, `running` counts the predictions of the optimiser steps, which costs nothing but lags behind and has no meaning under `mixup`, `none` leaves it out.
   */
  trainAccuracy: "eval" | "running" | "none";
  /**
   * Which model is the result: that of the `last` epoch, or that of the `best`, which had the highest validation accuracy first.
   */
  select: "best" | "last";
  /**
   * Ends the training early when a metric stops improving. Left out, all epochs are trained.
   */
  earlyStop?: {
    /**
     * What is watched. `minibatchLoss` is the loss of the epoch's last minibatch; what begins with `valid` needs validation images.
     */
    metric: "validAccuracy" | "validLoss" | "trainLoss" | "minibatchLoss";
    /**
     * The training ends after this many epochs in a row without improvement.
     */
    patience: number;
    /**
     * A change by no more than this counts as no improvement.
     */
    minDelta: number;
  };
  /**
   * Prints a line with the loss every so many optimiser steps; 0 prints none.
   */
  logInterval: number;
  keep: AllLastBestOrEveryN;
  /**
   * Saves a checkpoint within the epoch after every so many minutes, at the end of a step: a training that is killed then loses no more than that. It replaces the one before, and goes when the epoch's own is there. 0: only at the end of epochs, and where it is stopped.
   */
  checkpointMinutes: number;
  /**
   * What the order of the images, dropout and mixup are drawn from.
   */
  seed: number;
}
/**
 * Stochastic gradient descent, as torch.optim.SGD.
 */
export interface Sgd {
  type: "sgd";
  learningRate: LearningRate;
  /**
   * How much of the last step's direction is kept.
   */
  momentum: number;
  /**
   * Leaves this share of each gradient out of the momentum, except in the first step.
   */
  dampening: number;
  /**
   * Looks ahead along the momentum (Nesterov). Needs momentum above 0 and no dampening.
   */
  nesterov: boolean;
  /**
   * Pulls parameters towards zero: an L2 penalty on the gradient, or with `adamw` on the weight itself.
   */
  weightDecay: number;
  /**
   * Which parameters decay: `all`, as in PyTorch, or only the `weights` of convolutions and linear layers, not biases, nor the scales and shifts of norms.
   */
  weightDecayOn: "all" | "weights";
}
/**
 * Adam (Kingma & Ba 2015), as torch.optim.Adam.
 */
export interface Adam {
  type: "adam";
  /**
   * The base learning rate, which the schedule changes.
   */
  learningRate: number;
  /**
   * Decay of the running mean of gradients.
   */
  beta1: number;
  /**
   * Decay of the running mean of squared gradients.
   */
  beta2: number;
  /**
   * Added to the denominator, so that it is never zero.
   */
  epsilon: number;
  /**
   * Pulls parameters towards zero: an L2 penalty on the gradient, or with `adamw` on the weight itself.
   */
  weightDecay: number;
  /**
   * Which parameters decay: `all`, as in PyTorch, or only the `weights` of convolutions and linear layers, not biases, nor the scales and shifts of norms.
   */
  weightDecayOn: "all" | "weights";
}
/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW.
 */
export interface Adamw {
  type: "adamw";
  /**
   * The base learning rate, which the schedule changes.
   */
  learningRate: number;
  /**
   * Decay of the running mean of gradients.
   */
  beta1: number;
  /**
   * Decay of the running mean of squared gradients.
   */
  beta2: number;
  /**
   * Added to the denominator, so that it is never zero.
   */
  epsilon: number;
  /**
   * Pulls parameters towards zero: an L2 penalty on the gradient, or with `adamw` on the weight itself.
   */
  weightDecay: number;
  /**
   * Which parameters decay: `all`, as in PyTorch, or only the `weights` of convolutions and linear layers, not biases, nor the scales and shifts of norms.
   */
  weightDecayOn: "all" | "weights";
}
/**
 * RMSprop (Tieleman & Hinton 2012), as torch.optim.RMSprop.
 */
export interface Rmsprop {
  type: "rmsprop";
  /**
   * The base learning rate, which the schedule changes.
   */
  learningRate: number;
  /**
   * Decay of the running mean of squared gradients.
   */
  alpha: number;
  /**
   * Added to the denominator, so that it is never zero.
   */
  epsilon: number;
  /**
   * How much of the last step's direction is kept.
   */
  momentum: number;
  /**
   * Divides by the standard deviation of the gradient instead of its root mean square.
   */
  centered: boolean;
  /**
   * Pulls parameters towards zero: an L2 penalty on the gradient, or with `adamw` on the weight itself.
   */
  weightDecay: number;
  /**
   * Which parameters decay: `all`, as in PyTorch, or only the `weights` of convolutions and linear layers, not biases, nor the scales and shifts of norms.
   */
  weightDecayOn: "all" | "weights";
}
/**
 * SGD whose rate is adapted to each layer's weights, for very large batches (You, Gitman & Ginsburg 2017). Biases and the scales and shifts of norms are moved by plain SGD.
 */
export interface Lars {
  type: "lars";
  learningRate: LearningRate;
  /**
   * How much of the last step's direction is kept.
   */
  momentum: number;
  /**
   * A weight's step, as a share of the weight's own norm at a learning rate of 1.
   */
  trustCoefficient: number;
  /**
   * Added to the denominator, so that it is never zero.
   */
  epsilon: number;
  /**
   * Pulls parameters towards zero: an L2 penalty on the gradient, or with `adamw` on the weight itself.
   */
  weightDecay: number;
  /**
   * Which parameters decay: `all`, as in PyTorch, or only the `weights` of convolutions and linear layers, not biases, nor the scales and shifts of norms.
   */
  weightDecayOn: "all" | "weights";
}
/**
 * The base rate throughout.
 */
export interface Constant {
  type: "constant";
  per?: Per;
  warmup?: Warmup;
}
/**
 * Raises the learning rate linearly at first, as torch's LinearLR; the schedule proper starts behind it. One that moves once an epoch counts the epoch in which the warm-up ends as its first.
 */
export interface Warmup {
  /**
   * How many epochs the rise takes. A fraction needs `per: step`.
   */
  epochs?: number;
  /**
   * How many optimiser steps the rise takes, instead of `epochs`.
   */
  steps?: number;
  /**
   * How often the rate rises: once an epoch or once an optimiser step. Left out, once an epoch where `epochs` is given, else once a step.
   */
  per?: "epoch" | "step";
  /**
   * The first rate, as a share of the base rate.
   */
  startFactor: number;
}
/**
 * Multiplies the rate every so many epochs or steps, as torch's StepLR.
 */
export interface Step {
  type: "step";
  /**
   * How many epochs a rate lasts, or steps with `per: step`.
   */
  stepSize: number;
  /**
   * What the learning rate is multiplied with.
   */
  gamma: number;
  per?: Per;
  warmup?: Warmup;
}
/**
 * Multiplies the rate after given numbers of epochs or steps, as torch's MultiStepLR.
 */
export interface Multistep {
  type: "multistep";
  /**
   * After how many epochs, or steps with `per: step`, counted behind the warm-up, the rate is multiplied.
   *
   * @minItems 1
   */
  milestones: [number, ...number[]];
  /**
   * What the learning rate is multiplied with.
   */
  gamma: number;
  per?: Per;
  warmup?: Warmup;
}
/**
 * Falls along half a cosine, as torch's CosineAnnealingLR.
 */
export interface Cosine {
  type: "cosine";
  /**
   * Over how many epochs it falls. Left out, it is all epochs of the training behind the warm-up; then another number of epochs is another training from the second epoch on.
   */
  epochs?: number;
  /**
   * The learning rate does not fall below this.
   */
  minLr: number;
  per?: Per;
  warmup?: Warmup;
}
/**
 * Up to the optimiser's learning rate and down again over all steps of the training, once a step, as torch's OneCycleLR (Smith & Topin 2018). Another number of epochs is another training.
 */
export interface OneCycle {
  type: "oneCycle";
  /**
   * The part of all steps in which the rate rises.
   */
  pctStart: number;
  /**
   * The first rate is the optimiser's learning rate divided by this.
   */
  divFactor: number;
  /**
   * The last rate is the first one divided by this.
   */
  finalDivFactor: number;
  /**
   * Whether the rate moves along half a cosine (`cos`) or a line (`linear`).
   */
  annealStrategy: "cos" | "linear";
  /**
   * Moves the optimiser's momentum (beta1 of `adam` and `adamw`) the other way: from maxMomentum down to baseMomentum and back. Its own one is then not used.
   */
  cycleMomentum: boolean;
  /**
   * The momentum where the rate is highest.
   */
  baseMomentum: number;
  /**
   * The momentum at the beginning and the end.
   */
  maxMomentum: number;
}
/**
 * Lowers the rate when a metric stops improving, as torch's ReduceLROnPlateau.
 */
export interface Plateau {
  type: "plateau";
  /**
   * What is watched. `minibatchLoss` is the loss of the epoch's last minibatch; what begins with `valid` needs validation images.
   */
  metric: "validAccuracy" | "validLoss" | "trainLoss" | "minibatchLoss";
  /**
   * Which way is better. `auto` is `max` for an accuracy and `min` for a loss.
   */
  mode: "auto" | "min" | "max";
  /**
   * What the learning rate is multiplied with.
   */
  factor: number;
  /**
   * How many epochs in a row without improvement are borne; the rate falls after one more.
   */
  patience: number;
  /**
   * How much better than the best so far counts as an improvement.
   */
  threshold: number;
  /**
   * Whether the threshold is a share of the best (`rel`) or a difference (`abs`).
   */
  thresholdMode: "rel" | "abs";
  /**
   * For how many epochs after a reduction none is counted as bad.
   */
  cooldown: number;
  /**
   * The learning rate does not fall below this.
   */
  minLr: number;
  warmup?: Warmup;
}
