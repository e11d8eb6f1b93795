/**
 * The layer table: what each layer puts out, holds and costs, for images of a given size. Computed from the description,
 * with nothing allocated; rendered as plain text for `layers.txt` and the log.
 *
 * MACs are the multiply-accumulates of convolutions and linear layers for one image, as torchvision counts `num_ops`
 * (in 10^9): norms, activations, biases and pooling are left out.
 */
import type { Layer, PlainLayer, ResidualLayer } from "./layer.ts";
import type { ModelDescription } from "./model-description.ts";
import { countParameters, elementCount } from "./state-entry.ts";

export interface LayerRow {
  readonly name: string;
  /** With what tells it apart: `conv 3x3, stride 2`. */
  readonly type: string;
  /** Of one image: [h, w, c], or [features]. */
  readonly outputShape: readonly number[];
  readonly parameters: number;
  readonly macs: number;
}

/** A row per layer, in the order in which they compute. Throws where the image is too small for a layer. */
export function layerTable(description: ModelDescription, height: number, width: number): LayerRow[] {
  const rows: LayerRow[] = [];
  addRows(rows, description.layers, [height, width, description.imageChannels]);
  return rows;
}

/** The table as text: a head line, aligned columns, totals. Ends in a newline. */
export function renderLayerTable(description: ModelDescription, height: number, width: number): string {
  const rows = layerTable(description, height, width);
  const total = { parameters: sum(rows, (row) => row.parameters), macs: sum(rows, (row) => row.macs) };
  const cells = [
    ["layer", "type", "output", "parameters", "MACs"],
    ...rows.map((row) => [row.name, row.type, row.outputShape.join(" x "), grouped(row.parameters), grouped(row.macs)]),
    ["total", "", "", grouped(total.parameters), grouped(total.macs)],
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map((line) =>
    line.map((cell, column) => (column < 3 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  "),
  );
  const rule = "-".repeat(lines[0]!.length);
  const { architecture, imageChannels, numClasses } = description;
  const title = `${architecture}: ${height} x ${width} x ${imageChannels} images, ${numClasses} classes`;
  return `${[title, "", lines[0], rule, ...lines.slice(1, -1), rule, lines.at(-1)].join("\n")}\n`;
}

function addRows(rows: LayerRow[], layers: readonly Layer[], inputShape: readonly number[]): readonly number[] {
  let shape = inputShape;
  for (const layer of layers) {
    if (layer.type === "residual") shape = addResidualRows(rows, layer, shape);
    else {
      const outputShape = outputShapeOf(layer, shape);
      rows.push({
        name: layer.name,
        type: typeText(layer),
        outputShape,
        parameters: countParameters([layer]),
        macs: countMacs(layer, outputShape),
      });
      shape = outputShape;
    }
  }
  return shape;
}

function addResidualRows(rows: LayerRow[], layer: ResidualLayer, shape: readonly number[]): readonly number[] {
  const outputShape = addRows(rows, layer.body, shape);
  addRows(rows, layer.shortcut, shape);
  rows.push({ name: `${layer.name}.add`, type: "add", outputShape, parameters: 0, macs: 0 });
  return outputShape;
}

/** Of one image: [h, w, c], or [features]. Throws where nothing is left of it. */
export function outputShapeOf(layer: PlainLayer, shape: readonly number[]): readonly number[] {
  switch (layer.type) {
    case "conv2d": {
      const { stride, padding, dilation } = layer.geometry;
      return [...windows(layer, shape, dilation * (layer.kernelSize - 1) + 1, stride, padding), layer.outChannels];
    }
    case "maxPool": {
      const { size, stride, padding } = layer.geometry;
      return [...windows(layer, shape, size, stride, padding), shape[2]!];
    }
    case "adaptiveAveragePool":
      return [layer.size, layer.size, shape[2]!];
    case "flatten":
      return [elementCount(shape)];
    case "linear":
      return [layer.outFeatures];
    case "batchNorm":
    case "groupNorm":
    case "relu":
    case "dropout":
    case "scale":
      return shape;
  }
}

/** Output height and width: floor((size + 2 padding - extent) / stride) + 1. */
function windows(
  layer: PlainLayer,
  shape: readonly number[],
  extent: number,
  stride: number,
  padding: number,
): number[] {
  const size = shape.slice(0, 2).map((length) => Math.floor((length + 2 * padding - extent) / stride) + 1);
  if (size.some((length) => length < 1))
    throw new Error(`the images are too small: ${layer.name} gets ${shape[0]} x ${shape[1]} and has nothing left`);
  return size;
}

function countMacs(layer: PlainLayer, outputShape: readonly number[]): number {
  if (layer.type === "linear") return layer.inFeatures * layer.outFeatures;
  if (layer.type !== "conv2d") return 0;
  return elementCount(outputShape) * (layer.inChannels / layer.geometry.groups) * layer.kernelSize ** 2;
}

function typeText(layer: PlainLayer): string {
  switch (layer.type) {
    case "conv2d": {
      const { stride, dilation, groups } = layer.geometry;
      const size = `conv ${layer.kernelSize}x${layer.kernelSize}`;
      return [size, ...unlessOne({ stride, dilation, groups })].join(", ");
    }
    case "maxPool":
      return [
        `max pool ${layer.geometry.size}x${layer.geometry.size}`,
        ...unlessOne({ stride: layer.geometry.stride }),
      ].join(", ");
    case "batchNorm":
      return "batch norm";
    case "groupNorm":
      return `group norm, groups ${layer.groups}`;
    case "adaptiveAveragePool":
      return "average pool";
    case "dropout":
      return `dropout ${layer.rate}`;
    case "scale":
      return `times ${layer.factor}`;
    case "relu":
    case "flatten":
    case "linear":
      return layer.type;
  }
}

function unlessOne(settings: Readonly<Record<string, number>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => (value === 1 ? [] : [`${name} ${value}`]));
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function sum(rows: readonly LayerRow[], of: (row: LayerRow) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}
