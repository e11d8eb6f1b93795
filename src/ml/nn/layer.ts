/**
 * Layers as plain descriptions: what a network computes, without an engine and without a number allocated. Shapes,
 * parameter counts, MACs, initial weights and the running network all follow from these values, so they cannot differ.
 *
 * Names are torchvision's module names (`layer1.0.conv1`); a layer's parameters are `<name>.weight` and so on. Layers
 * without parameters are named after their place too, so that a table or an error can point at them.
 */
import type { ConvGeometry, PoolGeometry } from "../engine/engine.ts";

export type Layer =
  | ConvLayer
  | BatchNormLayer
  | GroupNormLayer
  | ReluLayer
  | MaxPoolLayer
  | AdaptiveAveragePoolLayer
  | FlattenLayer
  | LinearLayer
  | DropoutLayer
  | ScaleLayer
  | ResidualLayer;

/** A layer that computes by itself: all but the residual, which holds others. */
export type PlainLayer = Exclude<Layer, ResidualLayer>;

export interface ConvLayer {
  readonly type: "conv2d";
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly geometry: ConvGeometry;
  readonly bias: boolean;
}

export interface BatchNormLayer {
  readonly type: "batchNorm";
  readonly name: string;
  readonly channels: number;
  /** The weight of the new batch in the running statistics, as in PyTorch. */
  readonly momentum: number;
  readonly epsilon: number;
  /** Of the scale: 0 for the last norm of a zero-initialised residual, else 1. */
  readonly initialScale: number;
}

export interface GroupNormLayer {
  readonly type: "groupNorm";
  readonly name: string;
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly initialScale: number;
}

export interface ReluLayer {
  readonly type: "relu";
  readonly name: string;
}

export interface MaxPoolLayer {
  readonly type: "maxPool";
  readonly name: string;
  readonly geometry: PoolGeometry;
}

export interface AdaptiveAveragePoolLayer {
  readonly type: "adaptiveAveragePool";
  readonly name: string;
  readonly size: number;
}

/** [n, h, w, c] -> [n, h w c]. */
export interface FlattenLayer {
  readonly type: "flatten";
  readonly name: string;
}

export interface LinearLayer {
  readonly type: "linear";
  readonly name: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Positions per channel (h w) in what was flattened: PyTorch flattens [c, h, w], engines [h, w, c]. */
  readonly positions: number;
  /** `linear`: PyTorch's own, uniform within 1 / sqrt(in). `normal`: N(0, 0.01) with a zero bias, VGG's. */
  readonly initialisation: "linear" | "normal";
}

export interface DropoutLayer {
  readonly type: "dropout";
  readonly name: string;
  /** The probability of a zero. */
  readonly rate: number;
}

/** Every element times `factor`. */
export interface ScaleLayer {
  readonly type: "scale";
  readonly name: string;
  readonly factor: number;
}

/** body(x) + shortcut(x); an empty shortcut is the identity. */
export interface ResidualLayer {
  readonly type: "residual";
  readonly name: string;
  readonly body: readonly Layer[];
  readonly shortcut: readonly Layer[];
}

/** The plain layers in torchvision's order: a residual's body, then its shortcut. */
export function plainLayers(layers: readonly Layer[]): PlainLayer[] {
  return layers.flatMap((layer) =>
    layer.type === "residual" ? plainLayers([...layer.body, ...layer.shortcut]) : [layer],
  );
}
