/**
 * A tensor with a count of its holders, freed when the last one lets go: how a network keeps exactly what its reverse
 * pass still needs and no copy. A ReLU's output, say, is held by the ReLU and by the convolution after it.
 */
import type { Engine, Tensor } from "../engine/engine.ts";

export class Activation {
  readonly tensor: Tensor;
  private readonly engine: Engine;
  private holders = 1;
  /** A borrowed tensor is its caller's: it is never freed here. */
  private readonly borrowed: boolean;

  constructor(engine: Engine, tensor: Tensor, borrowed = false) {
    this.engine = engine;
    this.tensor = tensor;
    this.borrowed = borrowed;
  }

  hold(): this {
    this.holders++;
    return this;
  }

  release(): void {
    this.holders--;
    if (this.holders < 0) throw new Error("an activation was released more often than it was held");
    if (this.holders === 0 && !this.borrowed) this.engine.dispose(this.tensor);
  }
}
