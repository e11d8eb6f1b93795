/**
 * A model as a TensorFlow.js GraphModel: evaluation only, batch norms folded into their convolutions, grouped
 * convolutions as one convolution per group between a split and a concatenation, padding as pixels (PyTorch's).
 *
 * Input `images`: float32 [n, h, w, c], normalised; output `logits`: float32 [n, classes]. The batch size is free; height
 * and width are those the model was trained at, or free where they are not known.
 */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { BatchNormLayer, ConvLayer, GroupNormLayer, Layer, LinearLayer, MaxPoolLayer } from "../nn/layer.ts";
import type { ModelDescription } from "../nn/model-description.ts";
import { readState } from "../nn/read-state.ts";
import { elementCount, layerEntries, type StateEntry, stateEntries } from "../nn/state-entry.ts";
import { toEngineLayout } from "../nn/state-layout.ts";
import { ExportError, type ExportedFile } from "./exported-file.ts";
import { dilateFilter, foldBatchNorm, foldPool, normAffine, type ReadWeight } from "./fold.ts";
import { GraphWriter } from "./graph-writer.ts";

export const GRAPH_INPUT = "images";
export const GRAPH_OUTPUT = "logits";

export interface GraphModelOptions {
  readonly description: ModelDescription;
  readonly state: Readonly<Record<string, StoredTensor>>;
  /** Height and width of the images; a model whose pooling depends on them cannot do without. */
  readonly imageSize?: readonly [number, number];
  /** Program and version that wrote it. */
  readonly generatedBy: string;
}

/** The files of the model. Throws `ExportError` where it cannot be said, `StateDictError` where the weights do not fit. */
export function graphModelFiles({
  description,
  state,
  imageSize,
  generatedBy,
}: GraphModelOptions): Iterable<ExportedFile> {
  const entries = new Map(stateEntries(description.layers).map((entry) => [entry.name, entry]));
  const readEntry = readState([...entries.values()], state);
  const builder: Builder = {
    graph: new GraphWriter(),
    read: (name) => readEntry(entries.get(name)!),
    constants: new Map(),
  };
  const inputShape = [-1, ...(imageSize ?? [-1, -1]), description.imageChannels];
  const node = builder.graph.input(GRAPH_INPUT, inputShape);
  const { node: logits } = addLayers(builder, description.layers, {
    node,
    channels: description.imageChannels,
    size: imageSize,
  });
  builder.graph.add("Identity", GRAPH_OUTPUT, [logits]);
  const { numClasses: classes } = description;
  return builder.graph.files({ input: GRAPH_INPUT, inputShape, output: GRAPH_OUTPUT, classes, generatedBy });
}

interface Builder {
  readonly graph: GraphWriter;
  readonly read: ReadWeight;
  /** Names of small integer constants (axes, shapes, paddings), each written once. */
  readonly constants: Map<string, string>;
}

/** A node's output, and what is known of its shape. */
interface Value {
  readonly node: string;
  readonly channels: number;
  readonly size: readonly [number, number] | undefined;
}

function addLayers(builder: Builder, layers: readonly Layer[], input: Value): Value {
  let value = input;
  for (let index = 0; index < layers.length; index++) {
    const layer = layers[index]!;
    switch (layer.type) {
      case "conv2d": {
        const next = layers[index + 1];
        const norm = next?.type === "batchNorm" ? next : undefined;
        if (norm !== undefined) index++;
        value = addConvolution(builder, layer, norm, value);
        break;
      }
      case "batchNorm":
        value = addBatchNorm(builder, layer, value);
        break;
      case "groupNorm":
        value = addGroupNorm(builder, layer, value);
        break;
      case "relu":
        value = { ...value, node: builder.graph.add("Relu", layer.name, [value.node]) };
        break;
      case "maxPool":
        value = addMaxPool(builder, layer, value);
        break;
      case "adaptiveAveragePool": {
        const [flatten, linear] = [layers[index + 1], layers[index + 2]];
        if (layer.size === 1) {
          const axes = integers(builder, [1, 2]);
          const node = builder.graph.add("Mean", layer.name, [value.node, axes], {
            Tidx: { type: "DT_INT32" },
            keep_dims: { bool: flatten?.type !== "flatten" },
          });
          value = { node, channels: value.channels, size: [1, 1] };
          if (flatten?.type === "flatten") index++;
          break;
        }
        const { size } = value;
        if (size === undefined)
          throw new ExportError(
            `${layer.name} averages to ${layer.size} x ${layer.size}, which depends on the size of the images, and that is not known`,
            "export the model of the stage that trained it",
          );
        if (size[0] === layer.size && size[1] === layer.size) break;
        if (flatten?.type !== "flatten" || linear?.type !== "linear")
          throw new ExportError(
            `${layer.name} averages to ${layer.size} x ${layer.size} for something other than a linear layer`,
            "only models whose average pooling ends in a linear layer can be exported to tfjs",
          );
        index += 2;
        const weight = foldPool(linear, builder.read(`${linear.name}.weight`), layer.size, size);
        value = addLinear(
          builder,
          linear,
          weight,
          addReshape(builder, flatten.name, value, [-1, size[0] * size[1] * value.channels]),
        );
        break;
      }
      case "flatten": {
        const linear = layers.slice(index).find(({ type }) => type === "linear") as LinearLayer | undefined;
        if (linear !== undefined) value = addReshape(builder, layer.name, value, [-1, linear.inFeatures]);
        break;
      }
      case "linear": {
        const entry = layerEntries(layer)[0]!;
        value = addLinear(builder, layer, engineWeight(entry, builder.read(entry.name)), value);
        break;
      }
      case "scale": {
        const factor = builder.graph.constant(`${layer.name}.factor`, Float32Array.of(layer.factor), []);
        value = { ...value, node: builder.graph.add("Mul", layer.name, [value.node, factor]) };
        break;
      }
      case "dropout":
        break;
      case "residual": {
        const body = addLayers(builder, layer.body, value);
        const shortcut = addLayers(builder, layer.shortcut, value);
        value = { ...body, node: builder.graph.add("AddV2", layer.name, [body.node, shortcut.node]) };
        break;
      }
    }
  }
  return value;
}

function addConvolution(builder: Builder, layer: ConvLayer, norm: BatchNormLayer | undefined, x: Value): Value {
  const { graph } = builder;
  const { name, outChannels, inChannels } = layer;
  const { stride, padding, groups } = layer.geometry;
  const folded = foldBatchNorm(layer, norm, builder.read);
  // TensorFlow.js has no convolution that both strides and dilates.
  const spread = layer.geometry.dilation > 1 && stride > 1;
  const dilation = spread ? 1 : layer.geometry.dilation;
  const kernel = spread ? layer.geometry.dilation * (layer.kernelSize - 1) + 1 : layer.kernelSize;
  const weight = spread ? dilateFilter(folded.weight, layer.kernelSize, layer.geometry.dilation) : folded.weight;
  const attributes = {
    strides: { ints: [1, stride, stride, 1] },
    dilations: { ints: [1, dilation, dilation, 1] },
    data_format: { string: "NHWC" },
    ...(padding === 0
      ? { padding: { string: "VALID" } }
      : {
          padding: { string: "EXPLICIT" },
          explicit_paddings: { ints: [0, 0, padding, padding, padding, padding, 0, 0] },
        }),
  };
  const shape = [outChannels / groups, inChannels / groups, kernel, kernel];
  const part = elementCount(shape);
  const convolve = (partName: string, input: string, group: number) => {
    const entry: StateEntry = { ...layerEntries(layer)[0]!, shape };
    const data = engineWeight(entry, weight.subarray(group * part, (group + 1) * part));
    const filter = graph.constant(`${partName}.weight`, data, [kernel, kernel, shape[1]!, shape[0]!]);
    return graph.add("Conv2D", partName, [input, filter], attributes);
  };
  let node: string;
  if (groups === 1) node = convolve(name, x.node, 0);
  else {
    const axis = integers(builder, 3);
    const split = graph.add("Split", `${name}.split`, [axis, x.node], { num_split: { int: groups } });
    const parts = Array.from({ length: groups }, (_, group) =>
      // A node's first output goes by its bare name.
      convolve(`${name}.group${group}`, group === 0 ? split : `${split}:${group}`, group),
    );
    node = graph.add("ConcatV2", name, [...parts, axis], { N: { int: groups }, Tidx: { type: "DT_INT32" } });
  }
  if (folded.bias !== undefined) node = addBias(builder, name, node, folded.bias);
  const extent = dilation * (kernel - 1) + 1;
  return { node, channels: outChannels, size: windows(x.size, extent, stride, padding) };
}

function addBatchNorm(builder: Builder, layer: BatchNormLayer, x: Value): Value {
  const { scale, shift } = normAffine(layer, builder.read);
  return { ...x, node: addAffine(builder, layer.name, x.node, Float32Array.from(scale), Float32Array.from(shift)) };
}

/**
 * Wu & He 2018: means over h, w and the channels of a group. As means of the channels' means, so that no shape has to
 * know the image's size.
 */
function addGroupNorm(builder: Builder, { name, channels, groups, epsilon }: GroupNormLayer, x: Value): Value {
  const { graph, read } = builder;
  const perGroup = channels / groups;
  const mean = (part: string, of: string, axes: readonly number[]) =>
    graph.add("Mean", `${name}.${part}`, [of, integers(builder, axes)], {
      Tidx: { type: "DT_INT32" },
      keep_dims: { bool: true },
    });
  const reshape = (part: string, of: string, shape: readonly number[]) =>
    addReshape(builder, `${name}.${part}`, { node: of, channels, size: undefined }, shape).node;
  /** [n, 1, 1, c] of means over a channel's group. */
  const groupMean = (part: string, of: string) => {
    const byGroup = reshape(`${part}.groups`, mean(`${part}.channels`, of, [1, 2]), [-1, groups, perGroup]);
    const means = mean(part, byGroup, [2]);
    const repeated = graph.add("Tile", `${name}.${part}.tile`, [means, integers(builder, [1, 1, perGroup])], {
      Tmultiples: { type: "DT_INT32" },
    });
    return reshape(`${part}.spread`, repeated, [-1, 1, 1, channels]);
  };
  const centred = graph.add("Sub", `${name}.centred`, [x.node, groupMean("mean", x.node)]);
  const variance = groupMean("variance", graph.add("Square", `${name}.squared`, [centred]));
  const epsilonNode = graph.constant(`${name}.epsilon`, Float32Array.of(epsilon), []);
  const deviation = graph.add("Rsqrt", `${name}.rsqrt`, [
    graph.add("AddV2", `${name}.stable`, [variance, epsilonNode]),
  ]);
  const normal = graph.add("Mul", `${name}.normal`, [centred, deviation]);
  return { ...x, node: addAffine(builder, name, normal, read(`${name}.weight`), read(`${name}.bias`)) };
}

function addMaxPool(builder: Builder, { name, geometry }: MaxPoolLayer, x: Value): Value {
  const { graph } = builder;
  const { size, stride, padding } = geometry;
  let node = x.node;
  if (padding > 0) {
    const paddings = integers(builder, [0, 0, padding, padding, padding, padding, 0, 0], [4, 2]);
    // Below every number, as in PyTorch: a pad never is the maximum.
    const lowest = graph.constant(`${name}.lowest`, Float32Array.of(-3.4028234663852886e38), []);
    node = graph.add("PadV2", `${name}.pad`, [node, paddings, lowest], { Tpaddings: { type: "DT_INT32" } });
  }
  node = graph.add("MaxPool", name, [node], {
    ksize: { ints: [1, size, size, 1] },
    strides: { ints: [1, stride, stride, 1] },
    padding: { string: "VALID" },
    data_format: { string: "NHWC" },
  });
  return { ...x, node, size: windows(x.size, size, stride, padding) };
}

/** `weight` is [in, out], the inputs in the order in which they lie here. */
function addLinear(builder: Builder, { name, outFeatures }: LinearLayer, weight: Float32Array, x: Value): Value {
  const { graph, read } = builder;
  const matrix = graph.constant(`${name}.weight`, weight, [weight.length / outFeatures, outFeatures]);
  const product = graph.add("MatMul", name, [x.node, matrix], {
    transpose_a: { bool: false },
    transpose_b: { bool: false },
  });
  return { node: addBias(builder, name, product, read(`${name}.bias`)), channels: outFeatures, size: x.size };
}

function addBias({ graph }: Builder, name: string, node: string, bias: Float32Array): string {
  const constant = graph.constant(`${name}.bias`, bias, [bias.length]);
  return graph.add("BiasAdd", `${name}.biased`, [node, constant], { data_format: { string: "NHWC" } });
}

function addAffine({ graph }: Builder, name: string, node: string, scale: Float32Array, shift: Float32Array): string {
  const weight = graph.constant(`${name}.weight`, scale, [scale.length]);
  const bias = graph.constant(`${name}.bias`, shift, [shift.length]);
  return graph.add("AddV2", name, [graph.add("Mul", `${name}.scaled`, [node, weight]), bias]);
}

function addReshape(builder: Builder, name: string, x: Value, shape: readonly number[]): Value {
  const node = builder.graph.add("Reshape", name, [x.node, integers(builder, shape)], { Tshape: { type: "DT_INT32" } });
  return { ...x, node };
}

/** A constant of integers: a number is a scalar, a list a vector, or what `shape` says. */
function integers(
  { graph, constants }: Builder,
  values: number | readonly number[],
  shape: readonly number[] = typeof values === "number" ? [] : [values.length],
): string {
  const list = typeof values === "number" ? [values] : values;
  const key = `integers.${shape.join("x") || "scalar"}.${list.join("_")}`.replaceAll("-", "m");
  let name = constants.get(key);
  if (name === undefined) {
    name = graph.constant(key, Int32Array.from(list), shape);
    constants.set(key, name);
  }
  return name;
}

function engineWeight(entry: StateEntry, data: Float32Array): Float32Array {
  return toEngineLayout(entry, data);
}

function windows(
  size: readonly [number, number] | undefined,
  extent: number,
  stride: number,
  padding: number,
): readonly [number, number] | undefined {
  const after = (length: number) => Math.floor((length + 2 * padding - extent) / stride) + 1;
  return size && [after(size[0]), after(size[1])];
}
