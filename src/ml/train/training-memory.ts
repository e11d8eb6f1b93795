/**
 * How much memory a training needs, from its layers and its batch size, and what to say where there is not that much.
 *
 * The reverse pass holds what each layer's gradient needs (`nn/create-network.ts`): a convolution, a norm and a linear
 * layer their input, a ReLU its output, a pooling both, a dropout its mask. Measured peaks (resident memory, native engine
 * with SGD and momentum): ResNet-34 at 110 px with 256 images 2.94 GB, at 36 px with 32 images 0.72 GB; expected here are
 * 3.2 and 0.7.
 */
import { memoryLimit } from "../../platform/memory-limit.ts";
import type { NumericPrecision } from "../engine/engine.ts";
import type { Layer } from "../nn/layer.ts";
import { layerTable, outputShapeOf } from "../nn/layer-table.ts";
import type { ModelDescription } from "../nn/model-description.ts";
import { elementCount } from "../nn/state-entry.ts";
import type { GradientSettings } from "../optim/gradient-sink.ts";
import { slotNames } from "../optim/optimizer.ts";
import type { OptimizerSettings } from "../optim/optimizer-settings.ts";

export interface MemoryNeeds {
  /** What tensors alone take, in bytes: less cannot do. */
  atLeast(batchSize: number): number;
  /** What a process is expected to take at its peak, in bytes. */
  expected(batchSize: number): number;
}

export interface MemoryPlan {
  readonly needs: MemoryNeeds;
  /** What this process could get, in bytes. */
  readonly limitBytes: number;
}

const FLOAT_BYTES = 4;
/** Of what the reverse pass holds. */
const ACTIVATION_BYTES: Readonly<Record<NumericPrecision, number>> = { float32: 4, bfloat16: 2 };
/** Program, engine's library, threads' stacks and images that wait. */
const PROGRAM_BYTES = 400e6;
/** Gradients on their way and what convolutions need beside their results, in sizes of the largest output. */
const LARGEST_IN_FLIGHT = 3;

/** Of a training's settings, what makes it keep more than weights. */
interface KeptSettings extends GradientSettings {
  readonly optimizer: OptimizerSettings;
  readonly weightAverage?: unknown;
}

/** What a training on images of a size needs, and what this process could get. */
export function planMemory(
  description: ModelDescription,
  imageSize: readonly [height: number, width: number],
  settings: KeptSettings,
  precision: NumericPrecision,
): MemoryPlan {
  const needs = trainingMemory(description, imageSize, parameterCopies(settings), ACTIVATION_BYTES[precision]);
  return { needs, limitBytes: memoryLimit() };
}

/** How many numbers a training keeps for each parameter: the weight, the optimiser's slots, an average, held gradients. */
export function parameterCopies(settings: KeptSettings): number {
  const { optimizer, weightAverage, clipGradient, accumulateSteps = 1 } = settings;
  const holdsGradients = clipGradient?.norm !== undefined || accumulateSteps > 1;
  return 1 + slotNames(optimizer).length + Number(weightAverage !== undefined) + Number(holdsGradients);
}

/** `copies`: how many numbers are kept for each parameter: the weight itself, the optimiser's slots, and so on. `activationBytes` is what each element of an activation takes. */
export function trainingMemory(
  description: ModelDescription,
  [height, width]: readonly [height: number, width: number],
  copies: number,
  activationBytes = FLOAT_BYTES,
): MemoryNeeds {
  const rows = layerTable(description, height, width);
  const parameters = rows.reduce((sum, row) => sum + row.parameters, 0);
  const largest = rows.reduce((most, { outputShape }) => Math.max(most, elementCount(outputShape)), 0);
  const held = heldElements(description, height, width);
  const atLeast = (batchSize: number) => FLOAT_BYTES * copies * parameters + activationBytes * batchSize * held;
  return {
    atLeast,
    // Behind it, the optimiser's updates and a gradient are one more number for each parameter.
    expected: (batchSize) =>
      PROGRAM_BYTES +
      atLeast(batchSize) +
      FLOAT_BYTES * parameters +
      activationBytes * batchSize * LARGEST_IN_FLIGHT * largest,
  };
}

/** The largest batch that is expected to fit; 0 where none is. */
export function largestBatch({ needs, limitBytes }: MemoryPlan): number {
  const perImage = needs.expected(1) - needs.expected(0);
  return Math.max(0, Math.floor((limitBytes - needs.expected(0)) / perImage));
}

/** Numbers that are held for each image when the forward pass is done. */
function heldElements(description: ModelDescription, height: number, width: number): number {
  let elements = 0;
  const outputs = new Set<Output>();
  const hold = (output: Output) => {
    if (!outputs.has(output)) elements += elementCount(output.shape);
    outputs.add(output);
  };
  const run = (layers: readonly Layer[], input: Output): Output => {
    let x = input;
    for (const layer of layers) {
      if (layer.type === "residual") {
        const { shape } = run(layer.body, x);
        run(layer.shortcut, x);
        x = { shape };
        continue;
      }
      const y: Output = { shape: outputShapeOf(layer, x.shape) };
      switch (layer.type) {
        case "conv2d":
        case "batchNorm":
        case "groupNorm":
        case "linear":
          hold(x);
          break;
        case "relu":
          hold(y);
          break;
        case "maxPool":
          hold(x);
          hold(y);
          break;
        case "dropout":
          if (layer.rate > 0) elements += elementCount(y.shape);
          break;
        case "adaptiveAveragePool":
        case "flatten":
        case "scale":
          break;
      }
      x = y;
    }
    return x;
  };
  run(description.layers, { shape: [height, width, description.imageChannels] });
  return elements;
}

/** A layer's output: held once, however many layers ask for it. */
interface Output {
  readonly shape: readonly number[];
}
