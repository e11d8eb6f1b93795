/** The optimisers there are, as plain data. Names and rules are PyTorch's (`torch.optim`); defaults live in the train schema. */

export type OptimizerSettings = SgdOptimizer | AdamOptimizer;

/** Stochastic gradient descent with PyTorch's momentum: v = m v + g; w -= rate v. */
export interface SgdOptimizer {
  readonly type: "sgd";
  /** The base rate, which the schedule scales. */
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly weightDecayOn: WeightDecayScope;
}

/** Kingma & Ba 2015; `adamw` is Loshchilov & Hutter 2019, whose decay acts on the weight and not through the gradient. */
export interface AdamOptimizer {
  readonly type: "adam" | "adamw";
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly weightDecayOn: WeightDecayScope;
}

/** `all` parameters, as PyTorch does, or only `weights`: not biases, nor the scales and shifts of norms. */
export type WeightDecayScope = "all" | "weights";
