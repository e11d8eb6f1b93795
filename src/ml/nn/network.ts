/**
 * A model with its weights on an engine: what training and evaluation see of `nn/` and `models/`.
 *
 * Parameter and buffer names, layouts and order are torchvision's (conv OIHW, linear [out, in]); on the engine they lie
 * in its own layout. The reverse pass is ours: it walks the layers backwards and frees each activation as it goes.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { Tensor, Variable } from "../engine/engine.ts";

export interface Parameter {
  /** torchvision's name, `layer1.0.conv1.weight`. */
  readonly name: string;
  readonly variable: Variable;
  /** Whether it is a norm's scale or shift or a bias: what decay exclusions look at. */
  readonly role: "weight" | "bias" | "norm";
}

/** A running mean or variance. */
export interface NetworkBuffer {
  /** torchvision's name, `layer1.0.bn1.running_mean`. */
  readonly name: string;
  readonly variable: Variable;
}

export interface Network {
  /** In torchvision's order. */
  readonly parameters: readonly Parameter[];
  /** Running statistics, which are not trained. */
  readonly buffers: readonly NetworkBuffer[];
  /** Uint8 images must have been normalised: float32 [n, h, w, c] -> logits [n, classes]. Keeps nothing. The caller frees both. */
  evaluate(images: Tensor): Tensor;
  /**
   * Training mode: batch statistics, dropout drawn from (seed, step). Keeps what the reverse pass needs until `backward`
   * or `discard`; one forward at a time.
   */
  forward(images: Tensor, draw: { readonly seed: number; readonly step: number }): Tensor;
  /**
   * The reverse pass from d loss / d logits. Hands each parameter's gradient (in the engine's layout) to `use` as soon as
   * it is complete, then frees it.
   */
  backward(dlogits: Tensor, use: (parameter: Parameter, gradient: Tensor) => void): void;
  /** Frees what a forward kept, without a reverse pass. */
  discard(): void;
  /** Parameters and running statistics, under torchvision's names, in PyTorch's layouts, float32. */
  stateDict(): Promise<Record<string, StoredTensor>>;
  /** Throws an error that lists missing, unexpected and wrongly shaped names. */
  checkStateDict(state: Readonly<Record<string, StoredTensor>>): void;
  /** The same where it does not fit; then nothing is changed. */
  loadStateDict(state: Readonly<Record<string, StoredTensor>>): void;
  close(): void;
}
