/** What a training is given and what it gives back. */
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { Engine } from "../engine/engine.ts";
import type { Network } from "../nn/network.ts";
import type { GradientSettings } from "../optim/gradient-sink.ts";
import type { OptimizerSettings } from "../optim/optimizer-settings.ts";
import type { WeightAverageSettings } from "../optim/weight-average.ts";
import type { ScheduleSettings } from "../schedule/schedule-settings.ts";
import type { EarlyStop, History } from "./history.ts";
import type { ImageSource } from "./image-source.ts";
import type { KeepCheckpoints } from "./keep-checkpoints.ts";
import type { MixupSettings } from "./mixup.ts";
import type { CheckpointStore } from "./resume-point.ts";
import type { MemoryPlan } from "./training-memory.ts";
import type { TrainingSpeed } from "./training-speed.ts";

export interface TrainingSettings extends GradientSettings {
  readonly epochs: number;
  /** The training loader's. */
  readonly batchSize: number;
  /** Of dropout and mixup. The order of images is the loader's. */
  readonly seed: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: ScheduleSettings;
  /** Measures and hands out an average of the weights in the place of the weights. */
  readonly weightAverage?: WeightAverageSettings;
  /** As torch.nn.CrossEntropyLoss(label_smoothing): of the training loss alone. Left out: none. */
  readonly labelSmoothing?: number;
  readonly mixup?: MixupSettings;
  /** `eval`: a pass over `trainEvaluation` after each epoch; `running`: counted in the steps, in training mode. */
  readonly trainAccuracy: "eval" | "running" | "none";
  /** Which epoch's model is the result. */
  readonly select: "best" | "last";
  readonly earlyStop?: EarlyStop;
  /** A line every so many steps; 0: none. */
  readonly logInterval: number;
  /** Left out: all. */
  readonly keep?: KeepCheckpoints;
  /** A checkpoint within an epoch every so many minutes. 0, or left out: none but where it is stopped. */
  readonly checkpointMinutes?: number;
}

export interface Training {
  readonly engine: Engine;
  /** With its initial weights loaded. Holds the last epoch's afterwards. */
  readonly network: Network;
  readonly settings: TrainingSettings;
  readonly train: ImageSource;
  /** All training images in order, for `trainAccuracy: eval`. */
  readonly trainEvaluation?: ImageSource;
  readonly valid?: ImageSource;
  readonly checkpoints: CheckpointStore;
  /** Left out: it is tried whether there is enough. */
  readonly memory?: MemoryPlan | undefined;
  /** Aborted to stop: the step is finished, a checkpoint is saved, and `signal.reason` is thrown. */
  readonly signal: AbortSignal;
  /** Milliseconds of a monotonic clock: for speed, and for when to save what can be gone on from. No bit depends on it. */
  now(): number;
  onStep?(figures: StepFigures): void;
  onEvaluation?(figures: EvaluationFigures): void;
  log?(line: string): void;
  /** Something that stops nothing, such as a checkpoint that is no good. */
  warn?(line: string): void;
}

/** How far a training is, after a step. */
export interface StepFigures {
  readonly epoch: number;
  readonly epochs: number;
  /** Of the epoch, from 1. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** The last measured validation accuracy, else training accuracy. A fraction. */
  readonly accuracy: number | undefined;
  readonly speed: TrainingSpeed;
}

/** How far the pass over images that follows an epoch's steps is, after a batch. */
export interface EvaluationFigures {
  readonly images: "train" | "valid";
  readonly done: number;
  readonly count: number;
}

export type StateDict = Readonly<Record<string, StoredTensor>>;

export interface TrainedModel {
  /** Of the selected epoch: parameters and running statistics in PyTorch's layouts. */
  readonly state: StateDict;
  readonly history: History;
  /** Of this execution; its rates are undefined where nothing was left to train. */
  readonly speed: TrainingSpeed;
}
