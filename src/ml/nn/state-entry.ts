/**
 * What a model's state dict holds: every parameter and buffer with torchvision's name, PyTorch's shape, its role, how it
 * starts and how an engine lays it out. The one list that counting, drawing, loading and saving go by.
 */
import type { Layer, PlainLayer } from "./layer.ts";
import { plainLayers } from "./layer.ts";

export interface StateEntry {
  /** torchvision's name, `layer1.0.conv1.weight`. */
  readonly name: string;
  /** PyTorch's: OIHW, [out, in], [c]. */
  readonly shape: readonly number[];
  /** `buffer`: a running statistic, not trained. */
  readonly role: "weight" | "bias" | "norm" | "buffer";
  readonly initial: Initial;
  readonly layout: StateLayout;
}

/** How an entry starts. Bounds and deviations are of the values themselves. */
export type Initial =
  | { readonly type: "constant"; readonly value: number }
  | { readonly type: "normal"; readonly std: number }
  | { readonly type: "uniform"; readonly bound: number };

/** How an engine lays it out: `filter` HWIO, `matrix` [in, out] with the inputs in [h, w, c] order, `vector` as it is. */
export type StateLayout =
  | { readonly type: "filter" }
  | { readonly type: "matrix"; readonly positions: number }
  | { readonly type: "vector" };

const VECTOR: StateLayout = { type: "vector" };

/** The entries of `layers`, in the order in which torchvision's `state_dict()` lists them. */
export function stateEntries(layers: readonly Layer[]): StateEntry[] {
  return plainLayers(layers).flatMap(layerEntries);
}

/** The entries of one layer: [] for a layer that holds nothing. */
export function layerEntries(layer: PlainLayer): StateEntry[] {
  const vector = (suffix: string, size: number, role: StateEntry["role"], initial: Initial): StateEntry => ({
    name: `${layer.name}.${suffix}`,
    shape: [size],
    role,
    initial,
    layout: VECTOR,
  });
  switch (layer.type) {
    case "conv2d": {
      const { inChannels, outChannels, kernelSize, geometry } = layer;
      const weight: StateEntry = {
        name: `${layer.name}.weight`,
        shape: [outChannels, inChannels / geometry.groups, kernelSize, kernelSize],
        role: "weight",
        // He et al. 2015, eq. 14, over the outputs, as torchvision's ResNet and VGG: fan-out is not divided by the groups.
        initial: { type: "normal", std: Math.sqrt(2 / (outChannels * kernelSize * kernelSize)) },
        layout: { type: "filter" },
      };
      return layer.bias ? [weight, vector("bias", outChannels, "bias", constant(0))] : [weight];
    }
    case "batchNorm":
      return [
        vector("weight", layer.channels, "norm", constant(layer.initialScale)),
        vector("bias", layer.channels, "norm", constant(0)),
        vector("running_mean", layer.channels, "buffer", constant(0)),
        vector("running_var", layer.channels, "buffer", constant(1)),
      ];
    case "groupNorm":
      return [
        vector("weight", layer.channels, "norm", constant(layer.initialScale)),
        vector("bias", layer.channels, "norm", constant(0)),
      ];
    case "linear": {
      const { inFeatures, outFeatures, positions } = layer;
      // torch.nn.Linear draws its weight by kaiming_uniform(a = sqrt(5)), which is uniform within 1 / sqrt(in), and its bias likewise.
      const uniform: Initial = { type: "uniform", bound: 1 / Math.sqrt(inFeatures) };
      const own = layer.initialisation === "linear";
      return [
        {
          name: `${layer.name}.weight`,
          shape: [outFeatures, inFeatures],
          role: "weight",
          initial: own ? uniform : { type: "normal", std: 0.01 },
          layout: { type: "matrix", positions },
        },
        vector("bias", outFeatures, "bias", own ? uniform : constant(0)),
      ];
    }
    case "relu":
    case "maxPool":
    case "adaptiveAveragePool":
    case "flatten":
    case "dropout":
    case "scale":
      return [];
  }
}

/** How many trainable values `layers` hold. */
export function countParameters(layers: readonly Layer[]): number {
  return stateEntries(layers)
    .filter((entry) => entry.role !== "buffer")
    .reduce((sum, entry) => sum + elementCount(entry.shape), 0);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function constant(value: number): Initial {
  return { type: "constant", value };
}
