/**
 * Optimiser updates and what is done to whole gradients on the native engine: weights and slots are resource variables, changed in place.
 *
 * TensorFlow has one fused kernel per update, without weight decay and with its own idea of some formulas. What is missing
 * is folded into operands where algebra allows, since every pass over the weights of a large model costs milliseconds.
 */
import type { AdamSettings, RmspropSettings, RmspropSlots, SgdSettings, Tensor, Variable } from "../engine.ts";
import type { NativeMemory } from "./native-memory.ts";
import { attribute, FLOAT_T, type TensorflowOps, UNLOCKED } from "./tensorflow-ops.ts";

const UPDATE = [FLOAT_T, UNLOCKED];

export class NativeUpdates {
  readonly #ops: TensorflowOps;
  readonly #memory: NativeMemory;

  constructor(ops: TensorflowOps, memory: NativeMemory) {
    this.#ops = ops;
    this.#memory = memory;
  }

  /**
   * Decay without a decayed gradient: momentum (v + decay / momentum w) + g = momentum v + (g + decay w), one pass in
   * place. Where g itself moves the weight (Nesterov, or no momentum), the weight shrinks by rate decay first.
   */
  sgd(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void {
    const { learningRate, momentum, weightDecay, nesterov } = settings;
    const [ops, memory] = [this.#ops, this.#memory];
    const id = memory.plain(gradient);
    const hasMomentum = slot !== undefined && momentum !== 0;
    if (hasMomentum && weightDecay !== 0) this.#descend(slot, -weightDecay / momentum, memory.read(weight));
    if ((!hasMomentum || nesterov) && weightDecay !== 0) this.#scale(weight, 1 - learningRate * weightDecay);
    if (!hasMomentum) {
      this.#descend(weight, learningRate, id);
      return;
    }
    // v = momentum v + g; w -= nesterov ? rate g + rate momentum v : rate v.
    ops.many(
      "ResourceApplyMomentum",
      0,
      [...UPDATE, attribute.bool("use_nesterov", nesterov)],
      memory.writable(weight),
      memory.writable(slot),
      ops.scalar(learningRate),
      id,
      ops.scalar(momentum),
    );
  }

  /**
   * TensorFlow's Adam divides by sqrt(v) + epsilon after folding both bias corrections into the rate; PyTorch's divides by
   * sqrt(v / (1 - beta2^t)) + epsilon. Equal when epsilon is scaled by sqrt(1 - beta2^t). The corrections are made here, in
   * double precision, of the float32 betas that the kernel uses.
   */
  adam(
    weight: Variable,
    gradient: Tensor,
    first: Variable,
    second: Variable,
    settings: AdamSettings,
    step: number,
  ): void {
    const { learningRate, beta1, beta2, epsilon, weightDecay, decoupled } = settings;
    const ops = this.#ops;
    const correction1 = 1 - Math.fround(beta1) ** step;
    const root2 = Math.sqrt(1 - Math.fround(beta2) ** step);
    if (decoupled && weightDecay !== 0) this.#scale(weight, 1 - learningRate * weightDecay);
    const coupled = decoupled ? 0 : weightDecay;
    const decayed = this.#decayed(weight, gradient, coupled);
    const none = ops.scalar(0);
    ops.many(
      "ResourceApplyAdam",
      0,
      [...UPDATE, attribute.bool("use_nesterov", false)],
      this.#memory.writable(weight),
      this.#memory.writable(first),
      this.#memory.writable(second),
      none,
      none,
      ops.scalar((learningRate * root2) / correction1),
      ops.scalar(beta1),
      ops.scalar(beta2),
      ops.scalar(epsilon * root2),
      decayed,
    );
    if (coupled !== 0) ops.free(decayed);
  }

  /** Op by op: TensorFlow's own RMSprop has epsilon inside the root and the rate inside the momentum. */
  rmsprop(weight: Variable, gradient: Tensor, slots: RmspropSlots, settings: RmspropSettings): void {
    const { learningRate, alpha, epsilon, momentum, weightDecay } = settings;
    const { meanSquare, meanGradient, velocity } = slots;
    const [ops, memory] = [this.#ops, this.#memory];
    const decayed = this.#decayed(weight, gradient, weightDecay);
    const square = ops.multiply(decayed, decayed);
    this.#approach(meanSquare, square, 1 - alpha);
    ops.free(square);
    let root: number;
    if (meanGradient === undefined) {
      root = ops.one("Sqrt", [FLOAT_T], memory.read(meanSquare));
    } else {
      this.#approach(meanGradient, decayed, 1 - alpha);
      const mean = memory.read(meanGradient);
      const meanSquared = ops.multiply(mean, mean);
      const variance = ops.freeing(ops.subtract(memory.read(meanSquare), meanSquared), meanSquared);
      root = ops.freeing(ops.one("Sqrt", [FLOAT_T], variance), variance);
    }
    const divisor = ops.freeing(ops.add(root, ops.scalar(epsilon)), root);
    const direction = ops.freeing(ops.one("RealDiv", [FLOAT_T], decayed, divisor), divisor);
    if (weightDecay !== 0) ops.free(decayed);
    if (velocity === undefined) {
      this.#descend(weight, learningRate, direction);
    } else {
      ops.many(
        "ResourceApplyMomentum",
        0,
        [...UPDATE, attribute.bool("use_nesterov", false)],
        memory.writable(weight),
        memory.writable(velocity),
        ops.scalar(learningRate),
        direction,
        ops.scalar(momentum),
      );
    }
    ops.free(direction);
  }

  average(average: Variable, value: Variable, share: number): void {
    this.#approach(average, this.#memory.read(value), share);
  }

  scale(x: Tensor, factor: number): Tensor {
    return this.#memory.tensor(this.#ops.multiply(this.#memory.plain(x), this.#ops.scalar(factor)), x.shape);
  }

  clamp(x: Tensor, limit: number): Tensor {
    const [low, high] = [this.#ops.scalar(-limit), this.#ops.scalar(limit)];
    return this.#memory.tensor(this.#ops.one("ClipByValue", [FLOAT_T], this.#memory.plain(x), low, high), x.shape);
  }

  /** By TensorFlow's L2Loss, which is half of it and needs no square of `x` in memory. */
  sumOfSquares(x: Tensor | Variable): Tensor {
    const ops = this.#ops;
    const half = ops.one("L2Loss", [FLOAT_T], "variable" in x ? this.#memory.read(x) : this.#memory.plain(x));
    return this.#memory.tensor(ops.freeing(ops.multiply(half, ops.scalar(2)), half), []);
  }

  /** variable += share (target - variable). */
  #approach(variable: Variable, target: number, share: number): void {
    const distance = this.#ops.subtract(this.#memory.read(variable), target);
    this.#descend(variable, share, distance);
    this.#ops.free(distance);
  }

  /** variable -= rate direction, in place. */
  #descend(variable: Variable, rate: number, direction: number): void {
    const resource = this.#memory.writable(variable);
    this.#ops.many("ResourceApplyGradientDescent", 0, UPDATE, resource, this.#ops.scalar(rate), direction);
  }

  #scale(variable: Variable, factor: number): void {
    this.#memory.replace(variable, this.#ops.multiply(this.#memory.read(variable), this.#ops.scalar(factor)));
  }

  /** gradient + decay weight: the gradient itself when there is no decay, else the caller's to free. */
  #decayed(weight: Variable, gradient: Tensor, decay: number): number {
    const id = this.#memory.plain(gradient);
    if (decay === 0) return id;
    const pull = this.#ops.multiply(this.#memory.read(weight), this.#ops.scalar(decay));
    return this.#ops.freeing(this.#ops.add(id, pull), pull);
  }
}
