/** The optimisers there are, as plain data. Names and rules are PyTorch's (`torch.optim`); defaults live in the train schema. */

export type OptimizerSettings = SgdOptimizer | AdamOptimizer | RmspropOptimizer | LarsOptimizer;

/** Stochastic gradient descent with PyTorch's momentum: v = m v + (1 - dampening) g; w -= rate v. */
export interface SgdOptimizer extends Decay {
  readonly type: "sgd";
  readonly momentum: number;
  /** Takes this share off each new gradient but the first: v = g in the first step, as in PyTorch. */
  readonly dampening: number;
  /** Needs a momentum and no dampening. */
  readonly nesterov: boolean;
}

/** Kingma & Ba 2015; `adamw` is Loshchilov & Hutter 2019, whose decay acts on the weight and not through the gradient. */
export interface AdamOptimizer extends Decay {
  readonly type: "adam" | "adamw";
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Tieleman & Hinton 2012; `centered` is Graves 2013, who divides by the standard deviation. */
export interface RmspropOptimizer extends Decay {
  readonly type: "rmsprop";
  /** How much of the running means is kept. */
  readonly alpha: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly centered: boolean;
}

/**
 * You, Gitman & Ginsburg 2017: SGD whose step is, for each weight, in proportion to the weight's own norm. PyTorch has
 * none; see `larsShare` for which of the forms in use this is.
 */
export interface LarsOptimizer extends Decay {
  readonly type: "lars";
  readonly momentum: number;
  readonly trustCoefficient: number;
  readonly epsilon: number;
}

interface Decay {
  /** The base rate, which the schedule scales. */
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly weightDecayOn: WeightDecayScope;
}

/** `all` parameters, as PyTorch does, or only `weights`: not biases, nor the scales and shifts of norms. */
export type WeightDecayScope = "all" | "weights";
