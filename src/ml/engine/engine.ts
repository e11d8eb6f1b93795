/**
 * The one interface that everything which computes is written against: the ops that training image classifiers needs,
 * and nothing more. Implementations differ in how, never in meaning; `contract/contract.ts` says what each
 * op must return, and every engine passes it.
 *
 * Layouts: images NHWC; filters HWIO, for groups [kh, kw, cin / groups, cout] as in TensorFlow; dense weights
 * [in, out]. Padding is symmetric and in pixels, as in PyTorch. Handles are owned by whoever called the op that made
 * them and are freed with `dispose`; no op frees or changes its arguments, except variables in the update ops and the
 * running statistics of `batchNormTrain`.
 */

export type Shape = readonly number[];
export type DType = "float32" | "int32" | "uint8";
export type TensorArray = Float32Array | Int32Array | Uint8Array;

/** An immutable tensor on an engine. Opaque but for its shape. */
export interface Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Mutable float32 state on an engine: a weight, a running statistic, an optimiser slot. */
export interface Variable {
  readonly shape: Shape;
  readonly variable: true;
}

export interface ConvGeometry {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

export interface PoolGeometry {
  readonly size: number;
  readonly stride: number;
  readonly padding: number;
}

/** What a forward op keeps for its gradient. Belongs to the engine that made it; freed with `disposeSaved`. */
export interface Saved {
  readonly saved: true;
}

export type NumericPrecision = "float32" | "bfloat16";

/** How 3 x 3 convolutions are computed, where an engine knows more than one way. `auto` is the quickest by shape. */
export type ConvolutionAlgorithm = "auto" | "direct" | "winograd";

/** What makes bits, and so enters fingerprints. */
export interface Numerics {
  readonly engine: EngineName;
  readonly threads: number;
  readonly precision: NumericPrecision;
}

export type EngineName = "native" | "wasm" | "cpu" | "webgpu";

/** Every engine's bundle exports `createEngine` of this type. */
export type CreateEngine = (options: EngineOptions) => Promise<Engine>;

export interface EngineOptions {
  readonly threads: number;
  readonly precision: NumericPrecision;
  /** Left out: `auto`. */
  readonly convolution?: ConvolutionAlgorithm;
  /** Where the engine's own files are (the native library and addon; the wasm binaries). */
  readonly folder: string;
}

/** What a layer will ask of an engine. */
export interface LayerNeed {
  /** Shapes of its weights. */
  readonly weights: readonly Shape[];
  readonly convolution?: ConvGeometry;
}

export interface Engine {
  readonly name: EngineName;
  /** Of the library that computes, such as `TensorFlow 2.18.1`. */
  readonly version: string;
  /** Of what goes into convolutions and products, and of what a reverse pass keeps. */
  readonly precision: NumericPrecision;
  /**
   * Why this engine cannot have a layer, as an ending of "cannot do ...", asked before anything is built; undefined where
   * it can. Engines that can do all leave it out.
   */
  unsupported?(need: LayerNeed): string | undefined;

  // -- memory ---------------------------------------------------------------------------------------------------------
  /** Copies `data` (row-major) to the engine. */
  upload(data: TensorArray, shape: Shape): Tensor;
  /** Copies back. The array is the caller's. */
  download(tensor: Tensor | Variable): Promise<TensorArray>;
  dispose(...tensors: readonly (Tensor | undefined)[]): void;
  disposeSaved(saved: Saved): void;
  /** Tensors alive, variables not counted: what a leak test watches. */
  liveTensors(): number;
  variable(data: Float32Array, shape: Shape): Variable;
  assign(variable: Variable, data: Float32Array): void;
  disposeVariable(variable: Variable): void;
  /** Frees everything. The engine cannot be used afterwards. */
  close(): Promise<void>;

  // -- convolution ----------------------------------------------------------------------------------------------------
  /** [n, h, w, cin] and filter [kh, kw, cin/groups, cout] -> [n, oh, ow, cout], oh = floor((h + 2p - d(kh-1) - 1) / s) + 1. */
  conv2d(x: Tensor, filter: Variable, geometry: ConvGeometry): Tensor;
  /** Both gradients of `conv2d`. Without `wantInput` (the first layer) `dx` is not computed. */
  conv2dGradient(
    dy: Tensor,
    x: Tensor,
    filter: Variable,
    geometry: ConvGeometry,
    wantInput: boolean,
  ): { readonly dx: Tensor | undefined; readonly dfilter: Tensor };

  /** x [..., c] plus bias [c] (VGG's convolutions have one). */
  addBias(x: Tensor, bias: Variable): Tensor;
  /** dy [..., c] summed over all axes but the last: [c]. */
  addBiasGradient(dy: Tensor): Tensor;

  // -- normalisation --------------------------------------------------------------------------------------------------
  /**
   * Normalises by the batch's statistics over n, h, w (biased variance) and moves the running ones:
   * running = (1 - momentum) running + momentum batch, with the unbiased variance, as PyTorch does.
   */
  batchNormTrain(
    x: Tensor,
    parameters: BatchNormVariables,
    momentum: number,
    epsilon: number,
  ): { readonly y: Tensor; readonly saved: Saved };
  /** Does not free `saved`. */
  batchNormGradient(
    dy: Tensor,
    x: Tensor,
    parameters: BatchNormVariables,
    saved: Saved,
  ): { readonly dx: Tensor; readonly dscale: Tensor; readonly dshift: Tensor };
  /** Normalises by the running statistics. */
  batchNormEval(x: Tensor, parameters: BatchNormVariables, epsilon: number): Tensor;
  /** Normalises each image over h, w and the channels of a group (Wu & He 2018). scale, shift: [c]. */
  groupNorm(
    x: Tensor,
    scale: Variable,
    shift: Variable,
    groups: number,
    epsilon: number,
  ): { readonly y: Tensor; readonly saved: Saved };
  groupNormGradient(
    dy: Tensor,
    x: Tensor,
    scale: Variable,
    saved: Saved,
  ): { readonly dx: Tensor; readonly dscale: Tensor; readonly dshift: Tensor };

  // -- pointwise and pooling ------------------------------------------------------------------------------------------
  relu(x: Tensor): Tensor;
  /** dy where y > 0, else 0; `y` is what `relu` returned. */
  reluGradient(dy: Tensor, y: Tensor): Tensor;
  /** Equal shapes. */
  add(a: Tensor, b: Tensor): Tensor;
  /** Equal shapes (dropout masks). */
  multiply(a: Tensor, b: Tensor): Tensor;
  /** The same elements under another shape. */
  reshape(x: Tensor, shape: Shape): Tensor;
  /** Padding counts as minus infinity, as in PyTorch: also right for negative inputs. */
  maxPool(x: Tensor, geometry: PoolGeometry): Tensor;
  /** The gradient goes to the first maximum of each window, in row-major order. `y` is what `maxPool` returned. */
  maxPoolGradient(dy: Tensor, x: Tensor, y: Tensor, geometry: PoolGeometry): Tensor;
  /** [n, h, w, c] -> [n, size, size, c]; cell i averages rows floor(i h / size) to ceil((i + 1) h / size), as PyTorch's AdaptiveAvgPool2d. */
  adaptiveAveragePool(x: Tensor, size: number): Tensor;
  adaptiveAveragePoolGradient(dy: Tensor, inputShape: Shape): Tensor;

  // -- dense and loss -------------------------------------------------------------------------------------------------
  /** [n, in] by weight [in, out] plus bias [out]. */
  dense(x: Tensor, weight: Variable, bias: Variable): Tensor;
  denseGradient(
    dy: Tensor,
    x: Tensor,
    weight: Variable,
  ): { readonly dx: Tensor; readonly dweight: Tensor; readonly dbias: Tensor };
  /**
   * Mean cross-entropy of softmax(logits [n, c]), and its gradient to the logits. `loss` is []. `targets` are labels [n]
   * (int32), or probabilities [n, c] (float32) whose rows sum to one, as PyTorch's CrossEntropyLoss takes either.
   */
  softmaxCrossEntropy(logits: Tensor, targets: Tensor): { readonly loss: Tensor; readonly dlogits: Tensor };
  softmax(logits: Tensor): Tensor;

  // -- images ---------------------------------------------------------------------------------------------------------
  /** uint8 [n, h, w, c] -> float32 (x / 255 - mean) / std, per channel. */
  normalizeImages(images: Tensor, mean: readonly number[], std: readonly number[]): Tensor;

  // -- whole gradients ------------------------------------------------------------------------------------------------
  /** Every element times `factor`. */
  scale(x: Tensor, factor: number): Tensor;
  /** Every element, or the nearest of -limit and limit where it lies beyond them. */
  clamp(x: Tensor, limit: number): Tensor;
  /** The squared L2 norm, as []. */
  sumOfSquares(x: Tensor | Variable): Tensor;

  // -- optimiser updates ----------------------------------------------------------------------------------------------
  /** PyTorch's SGD: g += decay w; v = momentum v + g; w -= rate (nesterov ? g + momentum v : v). No slot when momentum is 0. */
  sgdUpdate(weight: Variable, gradient: Tensor, slot: Variable | undefined, settings: SgdSettings): void;
  /** PyTorch's Adam and AdamW; `step` counts from 1. */
  adamUpdate(
    weight: Variable,
    gradient: Tensor,
    first: Variable,
    second: Variable,
    settings: AdamSettings,
    step: number,
  ): void;
  /**
   * PyTorch's RMSprop: g += decay w; s = alpha s + (1 - alpha) g^2; where there is a slot for the mean gradient
   * (`centered`), a += (1 - alpha) (g - a) and s - a^2 takes the place of s; d = g / (sqrt(s) + epsilon); where there is a
   * slot for the velocity, v = momentum v + d takes the place of d; w -= rate d.
   */
  rmspropUpdate(weight: Variable, gradient: Tensor, slots: RmspropSlots, settings: RmspropSettings): void;
  /** average += share (value - average), as torch.lerp. */
  averageUpdate(average: Variable, value: Variable, share: number): void;
}

export interface BatchNormVariables {
  readonly scale: Variable;
  readonly shift: Variable;
  readonly runningMean: Variable;
  readonly runningVariance: Variable;
}

export interface SgdSettings {
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
}

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** AdamW: decay acts on the weight, not through the gradient. */
  readonly decoupled: boolean;
}

export interface RmspropSlots {
  readonly meanSquare: Variable;
  /** Of the centered form. */
  readonly meanGradient: Variable | undefined;
  /** Where momentum is not 0. */
  readonly velocity: Variable | undefined;
}

export interface RmspropSettings {
  readonly learningRate: number;
  /** How much of the running means is kept. */
  readonly alpha: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

/** An engine was asked for something it cannot do. Raised when a model is built, never in the middle of a training. */
export class UnsupportedOnEngine extends Error {
  constructor(engine: EngineName, what: string, able: readonly EngineName[]) {
    super(
      `the ${engine} engine cannot do ${what}; ${able.length > 0 ? `${able.join(", ")} can` : "no engine here can"}`,
    );
    this.name = "UnsupportedOnEngine";
  }
}
