/**
 * Where gradients go as the reverse pass completes them: to the optimiser at once, or into a hold until all are there.
 *
 * At once is the rule, for then no more than one gradient is alive. Accumulation over minibatches, clipping by the global
 * norm and LARS need all gradients together, and pay for it with as much memory as the parameters take. What must stay
 * true: between optimiser steps nothing is held, so a checkpoint there needs none of it.
 */
import type { Engine, Tensor } from "../engine/engine.ts";
import type { Parameter } from "../nn/network.ts";
import type { Optimizer, StepSettings, UpdateNorms } from "./optimizer.ts";

export interface GradientSettings {
  readonly clipGradient?: ClipGradient;
  /** How many minibatches' mean gradient a step takes; left out: 1. */
  readonly accumulateSteps?: number;
}

/** One of both. */
export interface ClipGradient {
  /** The largest L2 norm over all parameters together. */
  readonly norm?: number;
  /** The largest magnitude of an element. */
  readonly value?: number;
}

/** A minibatch: the step it belongs to, and whether it is that step's last one. */
export interface MinibatchPosition extends StepSettings {
  readonly ends: boolean;
}

export interface GradientSink {
  /** Uses a parameter's gradient over the minibatch under way. Keeps no hold on the handle, which stays the caller's. */
  take(parameter: Parameter, gradient: Tensor, at: MinibatchPosition): void;
  /**
   * After the minibatch's reverse pass: moves what `take` has not moved, if the minibatch ends its step. Rejects with
   * `GradientNotFinite` where a norm was wanted and is none; then none of what was held was moved.
   */
  finishMinibatch(at: MinibatchPosition): Promise<void>;
  /** Frees what is held. The optimiser is not the sink's. */
  close(): void;
}

/** A gradient held a NaN or an infinity, or its square was too large for float32. */
export class GradientNotFinite extends Error {
  readonly parameter: string;
  constructor(parameter: string) {
    super(`the gradient of ${parameter} is not finite`);
    this.name = "GradientNotFinite";
    this.parameter = parameter;
  }
}

/** PyTorch's guard against a norm of 0 (`torch.nn.utils.clip_grad_norm_`). */
const NORM_GUARD = 1e-6;

/**
 * `clipGradient.norm` is torch.nn.utils.clip_grad_norm_ with `error_if_nonfinite`, `clipGradient.value` is
 * clip_grad_value_; both see the mean gradient of the whole step. The last step of an epoch may have fewer minibatches than
 * `accumulateSteps`, and takes their mean.
 */
export function createGradientSink(engine: Engine, optimizer: Optimizer, settings: GradientSettings): GradientSink {
  const { clipGradient, accumulateSteps = 1 } = settings;
  const { norm: maxNorm, value: maxValue } = clipGradient ?? {};
  const held = new Map<Parameter, Tensor>();
  let minibatches = 0;

  function release(): void {
    engine.dispose(...held.values());
    held.clear();
    minibatches = 0;
  }

  /** Moves by `factor` times a gradient, each element clipped. */
  function move(
    parameter: Parameter,
    gradient: Tensor,
    at: MinibatchPosition,
    factor: number,
    norms?: UpdateNorms,
  ): void {
    const scaled = factor === 1 ? gradient : engine.scale(gradient, factor);
    const clipped = maxValue === undefined ? scaled : engine.clamp(scaled, maxValue);
    optimizer.update(parameter, clipped, at, norms);
    for (const made of new Set([scaled, clipped])) if (made !== gradient) engine.dispose(made);
  }

  /** The L2 norm of what is held, all together. */
  async function globalNorm(): Promise<number> {
    let total: Tensor | undefined;
    for (const gradient of held.values()) {
      const squares = engine.sumOfSquares(gradient);
      const sum: Tensor = total === undefined ? squares : engine.add(total, squares);
      if (total !== undefined) engine.dispose(total, squares);
      total = sum;
    }
    if (total === undefined) return 0;
    const norm = Math.sqrt((await engine.download(total))[0]!);
    engine.dispose(total);
    return norm;
  }

  async function normOf(x: Tensor | Parameter["variable"]): Promise<number> {
    const squares = engine.sumOfSquares(x);
    const norm = Math.sqrt((await engine.download(squares))[0]!);
    engine.dispose(squares);
    return norm;
  }

  /** The one that the reverse pass met first. */
  async function notFinite(): Promise<GradientNotFinite> {
    for (const [{ name }, gradient] of held)
      if (!Number.isFinite(await normOf(gradient))) return new GradientNotFinite(name);
    return new GradientNotFinite("all parameters together");
  }

  async function moveHeld(at: MinibatchPosition): Promise<void> {
    let factor = 1 / minibatches;
    if (maxNorm !== undefined) {
      const norm = factor * (await globalNorm());
      if (!Number.isFinite(norm)) throw await notFinite();
      factor *= Math.min(1, maxNorm / (norm + NORM_GUARD));
    }
    const norms = new Map<Parameter, UpdateNorms>();
    for (const [parameter, gradient] of held)
      if (optimizer.needsNorms(parameter)) {
        const both = { weight: await normOf(parameter.variable), gradient: factor * (await normOf(gradient)) };
        if (!Number.isFinite(both.gradient)) throw new GradientNotFinite(parameter.name);
        norms.set(parameter, both);
      }
    for (const [parameter, gradient] of held) {
      move(parameter, gradient, at, factor, norms.get(parameter));
      engine.dispose(gradient);
      held.delete(parameter);
    }
  }

  const together = accumulateSteps > 1 || maxNorm !== undefined;
  return {
    take(parameter, gradient, at) {
      if (!together && !optimizer.needsNorms(parameter)) {
        move(parameter, gradient, at, 1);
        return;
      }
      const sum = held.get(parameter);
      held.set(parameter, sum === undefined ? engine.reshape(gradient, gradient.shape) : engine.add(sum, gradient));
      engine.dispose(sum);
    },
    async finishMinibatch(at) {
      minibatches++;
      if (!at.ends) return;
      try {
        await moveHeld(at);
      } finally {
        release();
      }
    },
    close: release,
  };
}
