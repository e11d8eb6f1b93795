/** Optimiser updates on the native engine: weights and slots are resource variables, changed in place. */
import type { AdamSettings, SgdSettings, Tensor, Variable } from "../engine.ts";
import type { NativeMemory } from "./native-memory.ts";
import { attribute, FLOAT_T, type TensorflowOps, UNLOCKED } from "./tensorflow-ops.ts";

export class NativeUpdates {
  readonly #ops: TensorflowOps;
  readonly #memory: NativeMemory;

  constructor(ops: TensorflowOps, memory: NativeMemory) {
    this.#ops = ops;
    this.#memory = memory;
  }

  sgd(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void {
    const { learningRate, momentum, weightDecay, nesterov } = settings;
    const ops = this.#ops;
    const rate = ops.scalar(learningRate);
    const decayed = this.#decayed(weight, gradient, weightDecay);
    if (slot === undefined || momentum === 0) {
      ops.many("ResourceApplyGradientDescent", 0, [FLOAT_T, UNLOCKED], this.#memory.writable(weight), rate, decayed);
    } else {
      // v = momentum v + g; w -= nesterov ? rate g + rate momentum v : rate v.
      ops.many(
        "ResourceApplyMomentum",
        0,
        [FLOAT_T, UNLOCKED, attribute.bool("use_nesterov", nesterov)],
        this.#memory.writable(weight),
        this.#memory.writable(slot),
        rate,
        decayed,
        ops.scalar(momentum),
      );
    }
    if (weightDecay !== 0) ops.free(decayed);
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
    if (decoupled && weightDecay !== 0) {
      this.#memory.replace(
        this.#memory.ownVariable(weight),
        ops.multiply(this.#memory.read(weight), ops.scalar(1 - learningRate * weightDecay)),
      );
    }
    const coupled = decoupled ? 0 : weightDecay;
    const decayed = this.#decayed(weight, gradient, coupled);
    const none = ops.scalar(0);
    ops.many(
      "ResourceApplyAdam",
      0,
      [FLOAT_T, UNLOCKED, attribute.bool("use_nesterov", false)],
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

  /** gradient + decay weight: the gradient itself when there is no decay, else the caller's to free. */
  #decayed(weight: Variable, gradient: Tensor, decay: number): number {
    const { id } = this.#memory.own(gradient);
    if (decay === 0) return id;
    const pull = this.#ops.multiply(this.#memory.read(weight), this.#ops.scalar(decay));
    return this.#ops.freeing(this.#ops.add(id, pull), pull);
  }
}
