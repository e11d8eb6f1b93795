/** The error of a training whose loss is no longer a number: where it happened, and in which layer it shows first. */
import type { StoredTensor } from "../checkpoint/safetensors.ts";

export class TrainingDiverged extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "TrainingDiverged";
    this.help = help;
  }
}

export interface DivergedStep {
  readonly loss: number;
  readonly epoch: number;
  /** Counted from 1 within the epoch. */
  readonly step: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly batchSize: number;
  /** The model's state right after the forward pass that gave the loss, in the order of its layers. */
  readonly state: Readonly<Record<string, StoredTensor>>;
}

/** Running statistics are updated in the forward pass, so they name the first layer whose activations overflowed. */
export function trainingDiverged(at: DivergedStep): TrainingDiverged {
  const name = firstNonFinite(at.state);
  const where =
    name === undefined
      ? "every parameter and running statistic is finite, so the activations overflowed behind the last of them"
      : `the first layer with a non-finite value is ${layerOf(name)} (${name})`;
  const help =
    at.batchSize === 1
      ? "this batch has one image: batch norm over a single value has no variance; set dropLast: true, or another batchSize"
      : "lower optimizer.learningRate, or start with schedule.warmup";
  return new TrainingDiverged(
    `the loss is ${at.loss} at epoch ${at.epoch}, step ${at.step} of ${at.steps} (learning rate ${at.learningRate}): ${where}`,
    help,
  );
}

/** The first tensor of `state` that holds a NaN or an infinity. */
export function firstNonFinite(state: Readonly<Record<string, StoredTensor>>): string | undefined {
  return Object.keys(state).find((name) => {
    const { data } = state[name]!;
    return data instanceof Float32Array && !data.every(Number.isFinite);
  });
}

function layerOf(parameter: string): string {
  return parameter.slice(0, parameter.lastIndexOf("."));
}
