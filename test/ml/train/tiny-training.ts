/** A training small enough to repeat many times: 24 images of 6x6 in three classes, a convolution, a norm, dropout. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson, type JsonValue } from "../../../src/json.ts";
import type { Loader } from "../../../src/ml/data/loader.ts";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine } from "../../../src/ml/engine/engine.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import { initialState } from "../../../src/ml/nn/initial-state.ts";
import type { ModelDescription } from "../../../src/ml/nn/model-description.ts";
import type { CheckpointStore } from "../../../src/ml/train/resume-point.ts";
import { trainModel } from "../../../src/ml/train/train-model.ts";
import type { StepFigures, TrainedModel, Training, TrainingSettings } from "../../../src/ml/train/training.ts";
import type { MemoryPlan } from "../../../src/ml/train/training-memory.ts";
import { createRng } from "../../../src/rng.ts";

const CLASSES = 3;
const SIZE = 6;
const BATCH = 5;

export const TINY: ModelDescription = {
  architecture: "tiny",
  numClasses: CLASSES,
  imageChannels: 3,
  layers: [
    {
      type: "conv2d",
      name: "conv1",
      inChannels: 3,
      outChannels: 4,
      kernelSize: 3,
      geometry: { stride: 1, padding: 1, dilation: 1, groups: 1 },
      bias: false,
    },
    { type: "batchNorm", name: "bn1", channels: 4, momentum: 0.1, epsilon: 1e-5, initialScale: 1 },
    { type: "relu", name: "relu" },
    { type: "adaptiveAveragePool", name: "avgpool", size: 2 },
    { type: "flatten", name: "flatten" },
    { type: "dropout", name: "dropout", rate: 0.2 },
    { type: "linear", name: "fc", inFeatures: 16, outFeatures: CLASSES, positions: 4, initialisation: "linear" },
  ],
};

/** Class c is brighter in channel c; the rest is noise. */
export function tinyLoader(name: string, images: number, options: { shuffle: boolean; dropLast?: boolean }): Loader {
  const pixels = SIZE * SIZE * 3;
  const rng = createRng(7, name);
  const data = Uint8Array.from({ length: images * pixels }, (_, i) => {
    const label = Math.floor(i / pixels) % CLASSES;
    return rng.integer(128) + (i % 3 === label ? 100 : 0);
  });
  const batches = options.dropLast ? Math.floor(images / BATCH) : Math.ceil(images / BATCH);
  return {
    batchesPerEpoch: batches,
    imagesPerEpoch: options.dropLast ? batches * BATCH : images,
    async *epoch(epoch, firstBatch = 0) {
      const order = options.shuffle ? createRng(1, name, epoch).permutation(images) : undefined;
      for (let batch = firstBatch; batch < batches; batch++) {
        const count = Math.min(BATCH, images - batch * BATCH);
        const indices = Int32Array.from({ length: count }, (_, i) => order?.[batch * BATCH + i] ?? batch * BATCH + i);
        const out = new Uint8Array(count * pixels);
        indices.forEach((index, i) => {
          out.set(data.subarray(index * pixels, (index + 1) * pixels), i * pixels);
        });
        yield { images: out, labels: indices.map((i) => i % CLASSES), indices, shape: [count, SIZE, SIZE, 3] };
      }
    },
    waitedMs: () => 0,
    close: async () => {},
  };
}

export interface FolderStore extends CheckpointStore {
  readonly keys: () => string[];
  /** Epochs whose links are there, and of them those that are kept. */
  readonly epochs: () => number[];
  readonly kept: () => number[];
  /** Where the link of an epoch lies. */
  readonly link: (epoch: number) => string;
  readonly forget: (matches: (key: string) => boolean) => void;
  remove(): void;
}

/** Checkpoints in a temporary folder. */
export function folderStore(): FolderStore {
  const root = mkdtempSync(join(tmpdir(), "tfpipe-checkpoints-"));
  const folders = new Map<string, string>();
  const expendable = new Set<string>();
  let count = 0;
  const links = () =>
    [...folders.keys()].flatMap((text) => {
      const { type, epoch } = JSON.parse(text) as { readonly type: string; readonly epoch: number };
      return type === "train/epoch" ? [{ text, epoch }] : [];
    });
  const epochsOf = (found: ReturnType<typeof links>) => found.map(({ epoch }) => epoch).sort((a, b) => a - b);
  return {
    async find(key: JsonValue) {
      const folder = folders.get(canonicalJson(key));
      return folder === undefined ? undefined : { path: (file) => join(folder, file) };
    },
    async save(key, write) {
      const folder = join(root, String(count++));
      mkdirSync(folder);
      await write(folder);
      folders.set(canonicalJson(key), folder);
      expendable.delete(canonicalJson(key));
    },
    async mark(key, as) {
      if (as === "expendable") expendable.add(canonicalJson(key));
      else expendable.delete(canonicalJson(key));
    },
    async drop(key) {
      folders.delete(canonicalJson(key));
    },
    keys: () => [...folders.keys()],
    epochs: () => epochsOf(links()),
    kept: () => epochsOf(links().filter(({ text }) => !expendable.has(text))),
    link: (epoch) => folders.get(links().find((link) => link.epoch === epoch)!.text)!,
    forget(matches) {
      for (const key of [...folders.keys()]) if (matches(key)) folders.delete(key);
    },
    remove: () => rmSync(root, { recursive: true }),
  };
}

export const SETTINGS: TrainingSettings = {
  epochs: 3,
  batchSize: BATCH,
  seed: 11,
  optimizer: {
    type: "sgd",
    learningRate: 0.1,
    momentum: 0.9,
    dampening: 0,
    nesterov: false,
    weightDecay: 1e-4,
    weightDecayOn: "all",
  },
  schedule: { type: "constant" },
  trainAccuracy: "running",
  select: "last",
  logInterval: 0,
};

export interface TinyRun extends TrainedModel {
  readonly lines: string[];
  readonly warnings: string[];
  readonly steps: StepFigures[];
}

export interface TinyOptions {
  readonly valid?: boolean;
  readonly images?: number;
  /** Aborts once this many steps of this execution are done. */
  readonly stopAfterSteps?: number;
  /** Sees the number of engine tensors left behind. */
  readonly onEnd?: (liveTensors: number) => void;
  /** Throws after so many steps of this execution, before anything is saved: as if the process were gone. */
  readonly killAfterSteps?: number;
  /** In the place of the tiny loaders. The caller closes them. */
  readonly sources?: Pick<Training, "train" | "trainEvaluation" | "valid">;
  /** A clock; left out, it ticks with each question. */
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  readonly onStep?: () => void;
  /** The cpu engine, if left out. Closed at the end. */
  readonly openEngine?: () => Promise<Engine>;
  readonly corrupt?: (state: ReturnType<typeof initialState>) => void;
  readonly memory?: MemoryPlan;
}

/** Trains the tiny model; every run builds everything anew, as a new process would. */
export async function trainTiny(
  settings: Partial<TrainingSettings>,
  checkpoints: CheckpointStore,
  options: TinyOptions = {},
): Promise<TinyRun> {
  const openCpu = () => createEngine({ threads: 1, precision: "float32", folder: "" });
  const engine = await (options.openEngine ?? openCpu)();
  const network = createNetwork(engine, TINY);
  const initial = initialState(TINY, 5);
  options.corrupt?.(initial);
  network.loadStateDict(initial);
  const normalize = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  const lines: string[] = [];
  const warnings: string[] = [];
  const steps: StepFigures[] = [];
  const abort = new AbortController();
  let clock = 0;
  try {
    const trained = await trainModel({
      engine,
      network,
      settings: { ...SETTINGS, ...settings },
      ...(options.sources ?? {
        train: { loader: tinyLoader("train", options.images ?? 24, { shuffle: true }), ...normalize },
        trainEvaluation: { loader: tinyLoader("train", options.images ?? 24, { shuffle: false }), ...normalize },
        ...(options.valid !== false && { valid: { loader: tinyLoader("valid", 9, { shuffle: false }), ...normalize } }),
      }),
      checkpoints,
      memory: options.memory,
      signal: options.signal ?? abort.signal,
      now: options.now ?? (() => ++clock),
      onStep(figures) {
        steps.push(figures);
        options.onStep?.();
        if (steps.length === options.killAfterSteps) throw new Error("killed by the test");
        if (steps.length === options.stopAfterSteps) abort.abort(new Error("stopped by the test"));
      },
      log: (line) => lines.push(line),
      warn: (line) => warnings.push(line),
    });
    return { ...trained, lines, warnings, steps };
  } finally {
    options.onEnd?.(engine.liveTensors());
    network.close();
    await engine.close();
  }
}

export function bytesOf({ state }: TrainedModel): string {
  return Object.entries(state)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { data }]) => `${name} ${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex")}`)
    .join("\n");
}
