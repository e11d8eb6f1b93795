/**
 * Trainings of every kind that the train and normalize stages take: optimisers, schedules, augmentations, numbers of
 * loader threads, and all else that a training is set to. What there is, is in the schemas; `neverSet` compares.
 */
import type { JsonObject, JsonValue } from "../../../src/json.ts";
import { followReference } from "../../../src/language/judge-schema.ts";
import type { OptimizerSettings } from "../../../src/ml/optim/optimizer-settings.ts";
import type { ScheduleSettings } from "../../../src/ml/schedule/schedule-settings.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import type { TransformSetting } from "../../../src/ml/transforms/transform-list.ts";
import { createRng } from "../../../src/rng.ts";
import { coveringRows } from "./covering-rows.ts";

type Choice<T> = readonly [name: string, value: T];
type OfType<Settings, Type> = Extract<Settings, { readonly type: Type }>;

const decay = { weightDecay: 0.02, weightDecayOn: "all" } as const;
const weightsOnly = { weightDecay: 0.02, weightDecayOn: "weights" } as const;
const sgd = { ...decay, type: "sgd", learningRate: 0.1, momentum: 0.9, dampening: 0, nesterov: false } as const;
const adam = { ...decay, learningRate: 0.02, beta1: 0.8, beta2: 0.99, epsilon: 1e-6 } as const;
const rmsprop: OfType<OptimizerSettings, "rmsprop"> = {
  ...decay,
  type: "rmsprop",
  learningRate: 2e-3,
  alpha: 0.9,
  epsilon: 1e-2,
  momentum: 0,
  centered: false,
};
const lars: OfType<OptimizerSettings, "lars"> = {
  ...decay,
  type: "lars",
  learningRate: 1,
  momentum: 0.8,
  trustCoefficient: 0.02,
  epsilon: 1e-6,
};

export const OPTIMIZERS: readonly Choice<OptimizerSettings>[] = [
  ["SGD", { ...sgd, momentum: 0 }],
  ["SGD with Nesterov's momentum", { ...sgd, ...weightsOnly, nesterov: true }],
  ["SGD with dampening", { ...sgd, dampening: 0.5 }],
  ["Adam", { ...adam, type: "adam" }],
  ["Adam, weights decaying", { ...adam, ...weightsOnly, type: "adam" }],
  ["AdamW", { ...adam, type: "adamw" }],
  ["AdamW, weights decaying", { ...adam, ...weightsOnly, type: "adamw" }],
  ["RMSprop", rmsprop],
  ["centered RMSprop with momentum", { ...rmsprop, ...weightsOnly, momentum: 0.9, centered: true }],
  ["LARS", { ...lars, ...weightsOnly }],
  ["LARS, all decaying", lars],
];

const oneCycle: OfType<ScheduleSettings, "oneCycle"> = {
  type: "oneCycle",
  pctStart: 0.4,
  divFactor: 10,
  finalDivFactor: 100,
  annealStrategy: "cos",
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
};
const plateau: OfType<ScheduleSettings, "plateau"> = {
  type: "plateau",
  metric: "validAccuracy",
  mode: "auto",
  factor: 0.5,
  patience: 0,
  threshold: 0.01,
  thresholdMode: "rel",
  cooldown: 1,
  minLr: 1e-4,
};

export const SCHEDULES: readonly Choice<ScheduleSettings>[] = [
  ["constant", { type: "constant", per: "epoch", warmup: { epochs: 2, per: "epoch", startFactor: 0.2 } }],
  ["constant per step", { type: "constant", per: "step", warmup: { steps: 7, startFactor: 0.2 } }],
  ["step", { type: "step", stepSize: 2, gamma: 0.5, per: "epoch" }],
  [
    "step per step",
    { type: "step", stepSize: 9, gamma: 0.7, per: "step", warmup: { epochs: 0.5, per: "step", startFactor: 0.2 } },
  ],
  ["multistep", { type: "multistep", milestones: [2, 11], gamma: 0.5, per: "epoch" }],
  [
    "multistep per step",
    { type: "multistep", milestones: [8, 33], gamma: 0.5, per: "step", warmup: { epochs: 1, startFactor: 0.2 } },
  ],
  ["cosine", { type: "cosine", epochs: 20, minLr: 1e-3, per: "epoch", warmup: { epochs: 1, startFactor: 0.2 } }],
  ["cosine per step, to the end", { type: "cosine", minLr: 0, per: "step" }],
  ["one cycle with the momentum's", oneCycle],
  ["one cycle along lines", { ...oneCycle, annealStrategy: "linear", cycleMomentum: false }],
  ["plateau", { ...plateau, warmup: { steps: 6, startFactor: 0.5 } }],
  ["plateau of the validation loss", { ...plateau, metric: "validLoss", mode: "min", thresholdMode: "abs" }],
  ["plateau of the training loss", { ...plateau, metric: "trainLoss", patience: 1 }],
  // An odd choice, which lowers the rate where the loss falls: often.
  ["plateau of the last loss", { ...plateau, metric: "minibatchLoss", mode: "max" }],
];

/** Of images of 8 x 8. */
export const AUGMENTATIONS: readonly Choice<readonly TransformSetting[]>[] = [
  ["images as they are", []],
  ["resize", [{ resize: { size: 6, interpolation: "bicubic" } }]],
  ["centerCrop", [{ centerCrop: 6 }]],
  ["randomCrop", [{ randomCrop: { size: 8, padding: 2 } }]],
  ["randomResizedCrop", [{ randomResizedCrop: { size: 6, scale: [0.3, 1] } }]],
  ["randomHorizontalFlip", [{ randomHorizontalFlip: 0.5 }]],
  ["randomRotation", [{ randomRotation: { degrees: 30, interpolation: "bilinear", fill: 127 } }]],
  ["colorJitter", [{ colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 } }]],
  ["randomErasing", [{ randomErasing: 0.8 }]],
  ["cutout", [{ cutout: 3 }]],
  [
    "one after the other",
    [
      { resize: 10 },
      { randomCrop: 8 },
      { randomHorizontalFlip: 0.5 },
      { randomRotation: 15 },
      { colorJitter: 0.3 },
      { randomErasing: 0.5 },
      { cutout: 2 },
    ],
  ],
];

/** As many as the train stage takes, and fewer. */
export const LOADER_THREADS = [0, 1, 2, 4] as const;

export interface OtherSettings extends Partial<TrainingSettings> {
  readonly dropLast: boolean;
}

const average = { decay: 0.9, start: 0, useBuffers: false };

export const OTHERS: readonly Choice<OtherSettings>[] = [
  ["all images measured", { dropLast: false, trainAccuracy: "eval" }],
  ["a clipped norm", { dropLast: false, trainAccuracy: "running", clipGradient: { norm: 0.5 } }],
  ["clipped values, whole batches", { dropLast: true, trainAccuracy: "none", clipGradient: { value: 0.01 } }],
  [
    "accumulated gradients, smoothed labels",
    { dropLast: false, trainAccuracy: "running", accumulateSteps: 2, labelSmoothing: 0.1 },
  ],
  ["mixup", { dropLast: false, trainAccuracy: "none", mixup: { alpha: 0.5 } }],
  ["the best average", { dropLast: true, select: "best", weightAverage: { ...average, useBuffers: true } }],
  [
    "all of it",
    {
      dropLast: false,
      trainAccuracy: "eval",
      accumulateSteps: 3,
      clipGradient: { norm: 0.5 },
      weightAverage: { ...average, start: 1 },
      mixup: { alpha: 0.3 },
      labelSmoothing: 0.1,
      select: "last",
      earlyStop: { metric: "trainLoss", patience: 9, minDelta: 1e-4 },
    },
  ],
];

export interface ShippedTraining {
  readonly name: string;
  readonly settings: Partial<TrainingSettings> & Pick<TrainingSettings, "optimizer" | "schedule">;
  readonly dropLast: boolean;
  readonly transforms: readonly TransformSetting[];
  readonly threads: (typeof LOADER_THREADS)[number];
}

/** Trainings in which each of the above occurs, or each two of them together (`strength`: 2), as far as a pipeline may have them. */
export function shippedTrainings(strength: 1 | 2, seed: number): readonly ShippedTraining[] {
  const sizes = [OPTIMIZERS.length, SCHEDULES.length, AUGMENTATIONS.length, LOADER_THREADS.length, OTHERS.length];
  const fits = (factor: number, value: number, other: number, otherValue: number) => {
    if (factor !== 0 || other !== 1) return true;
    const [optimizer, schedule] = [OPTIMIZERS[value]![1], SCHEDULES[otherValue]![1]];
    // The check of a pipeline refuses it: there is no momentum to move.
    const moves = schedule.type === "oneCycle" && schedule.cycleMomentum;
    return !(moves && "momentum" in optimizer && optimizer.momentum === 0);
  };
  return coveringRows({ sizes, strength, fits, rng: createRng(seed, "shipped trainings") }).map((row) => {
    const [optimizer, schedule, augmentation] = [OPTIMIZERS[row[0]!]!, SCHEDULES[row[1]!]!, AUGMENTATIONS[row[2]!]!];
    const [threads, [others, { dropLast, ...settings }]] = [LOADER_THREADS[row[3]!]!, OTHERS[row[4]!]!];
    return {
      name: `${optimizer[0]}; ${schedule[0]}; ${augmentation[0]}; ${threads} loader threads; ${others}`,
      settings: { ...settings, optimizer: optimizer[1], schedule: schedule[1] },
      dropLast,
      transforms: augmentation[1],
      threads,
    };
  });
}

/**
 * What of a schema's properties no row sets to something else than the default, or, of a choice, to a value it has.
 * `whole`: properties of which it is enough that they are set.
 */
export function neverSet(
  root: JsonObject,
  properties: JsonObject,
  rows: readonly JsonObject[],
  { path, whole = [] }: { readonly path: string; readonly whole?: readonly string[] },
): readonly string[] {
  return Object.entries(properties).flatMap(([name, given]) => {
    const schema = resolve(root, given as JsonObject);
    const at = `${path}.${name}`;
    const values = rows.flatMap((row) => (row[name] === undefined ? [] : [row[name]]));
    const choices = (schema.enum ?? (schema.type === "boolean" ? [false, true] : undefined)) as JsonValue[] | undefined;
    if (choices !== undefined)
      return choices.filter((choice) => !values.includes(choice)).map((choice) => `${at} is never ${choice}`);
    if (schema.const !== undefined) return values.includes(schema.const) ? [] : [`${at} is never ${schema.const}`];
    if (!values.some((value) => value !== schema.default)) return [`${at} is never set`];
    if (schema.properties === undefined || whole.includes(name)) return [];
    return neverSet(root, schema.properties as JsonObject, values as JsonObject[], { path: at, whole });
  });
}

function resolve(root: JsonObject, schema: JsonObject): JsonObject {
  const { $ref, ...beside } = schema;
  return typeof $ref === "string" ? { ...resolve(root, followReference(root, $ref)), ...beside } : schema;
}
