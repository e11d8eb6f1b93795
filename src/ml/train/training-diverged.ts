/** The error of a training whose loss is no longer a number: where it happened, and in which layer it shows first. */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { StateDict } from "./training.ts";

export class TrainingDiverged extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "TrainingDiverged";
    this.help = help;
  }
}

const LOWER_THE_RATE = "lower optimizer.learningRate, or start with schedule.warmup";

export interface DivergedStep {
  readonly loss: number;
  readonly epoch: number;
  /** Counted from 1 within the epoch. */
  readonly step: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly batchSize: number;
  /** The model right after the forward pass that gave the loss, in the order of its layers. */
  readonly state: StateDict;
}

export function stepDiverged(at: DivergedStep): TrainingDiverged {
  const { loss, epoch, step, steps, learningRate, batchSize, state } = at;
  return new TrainingDiverged(
    `the loss is ${loss} at epoch ${epoch}, step ${step} of ${steps}, learning rate ${learningRate}: ${firstLayer(state)}`,
    batchSize === 1
      ? "this batch has one image, and batch norm over a single value has no variance: set dropLast: true, or another batchSize"
      : LOWER_THE_RATE,
  );
}

/** A loss that is finite, and a gradient of which a norm was wanted and which is not. */
export function gradientDiverged(
  problem: string,
  { loss, epoch, step, steps, learningRate }: Omit<DivergedStep, "state" | "batchSize">,
): TrainingDiverged {
  return new TrainingDiverged(
    `${problem} at epoch ${epoch}, step ${step} of ${steps}, learning rate ${learningRate}; the loss is ${loss}`,
    LOWER_THE_RATE,
  );
}

/** Throws where the weights or running statistics after a step (left out: an epoch's last) are not finite. */
export function requireFinite(
  state: StateDict,
  { epoch, step, learningRate }: { readonly epoch: number; readonly step?: number; readonly learningRate: number },
): void {
  if (firstNonFinite(state) === undefined) return;
  const when = step === undefined ? `the last step of epoch ${epoch}` : `step ${step} of epoch ${epoch}`;
  throw new TrainingDiverged(
    `the model is no longer finite after ${when}, learning rate ${learningRate}: ${firstLayer(state)}`,
    LOWER_THE_RATE,
  );
}

/** In eval mode after an epoch's steps, whose own losses were finite. */
export function evaluationDiverged(
  loss: number,
  epoch: number,
  learningRate: number,
  state: StateDict,
): TrainingDiverged {
  return new TrainingDiverged(
    `the loss in eval mode is ${loss} after the last step of epoch ${epoch}, learning rate ${learningRate}: ${firstLayer(state)}`,
    LOWER_THE_RATE,
  );
}

/**
 * Running statistics are updated in the forward pass and come behind the weights of the layers before them, so the first
 * non-finite tensor of a state dict is in the layer where non-finite numbers first arise.
 */
function firstLayer(state: StateDict): string {
  const name = firstNonFinite(state);
  if (name === undefined)
    return "all parameters and running statistics are finite, so the activations overflowed behind the last norm";
  const first = `the first layer with a non-finite value is ${layerOf(name)} (${name})`;
  if (isRunning(name)) return first;
  // A weight gets such a value from its gradient alone, and the reverse pass carries it from there to all layers before.
  const last = Object.keys(state).findLast((other) => !isRunning(other) && !allFinite(state[other]!))!;
  return layerOf(last) === layerOf(name)
    ? first
    : `${first}, by a gradient that was so from ${layerOf(last)} (${last}) on`;
}

function layerOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

function isRunning(name: string): boolean {
  return /\.(running_mean|running_var)$/.test(name);
}

/** The first tensor of `state` that holds a NaN or an infinity. */
export function firstNonFinite(state: StateDict): string | undefined {
  return Object.keys(state).find((name) => !allFinite(state[name]!));
}

function allFinite({ data }: StoredTensor): boolean {
  if (!(data instanceof Float32Array)) return true;
  // NaN where any element is not finite, in one quick pass: this is asked of every weight after each epoch.
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += data[i]! * 0;
  return zero === 0;
}
