/**
 * The promise of the chain, for one training: straight through, in two parts, and killed again and again, it comes to the
 * same weights, the same history, the same predictions and the same charts. Every execution builds everything anew, as a
 * new process would: engine, network, data sets, loader threads.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import plotSchema from "../../../schemas/plot.schema.json" with { type: "json" };
import type { JsonObject } from "../../../src/json.ts";
import { fitSchema } from "../../../src/language/fit-schema.ts";
import { type PlotSettings, plotCharts } from "../../../src/ml/charts/plot-charts.ts";
import { writePredictions } from "../../../src/ml/checkpoint/evaluation-files.ts";
import { writeHistory } from "../../../src/ml/checkpoint/history-file.ts";
import { type DatasetSource, openDataset } from "../../../src/ml/data/dataset.ts";
import { createImagesWriter } from "../../../src/ml/data/dataset-writer.ts";
import type { Engine } from "../../../src/ml/engine/engine.ts";
import { PredictionCollector } from "../../../src/ml/metrics/prediction-collector.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import { evaluateNetwork } from "../../../src/ml/train/evaluate-network.ts";
import { createImageSource, type ImageSource } from "../../../src/ml/train/image-source.ts";
import { fillInMean } from "../../../src/ml/transforms/transform-list.ts";
import { createRng } from "../../../src/rng.ts";
import { type BundledWorker, bundleWorker } from "../../bundle-worker.ts";
import { folderSource, writeTinyTransform } from "../data/tiny-dataset.ts";
import { LOADER_THREADS, type ShippedTraining } from "./shipped-trainings.ts";
import { bytesOf, folderStore, TINY, type TinyRun, trainTiny } from "./tiny-training.ts";

const BATCH = 5;
const CLASSES = ["red", "green", "blue"];
const SIZE = 8;
const MINUTE_MS = 60_000;
const FONTS = {
  regular: join(import.meta.dirname, "../../../assets/fonts/Inter-Regular.ttf"),
  semiBold: join(import.meta.dirname, "../../../assets/fonts/Inter-SemiBold.ttf"),
};

export interface SameBitsProof {
  readonly openEngine: () => Promise<Engine>;
  readonly epochs: number;
  /** The first of two parts. */
  readonly first: number;
  /** Of the steps at which it is killed. */
  readonly seed: number;
  /** Draws every chart there is, too: a function of history, predictions and images, which are compared always. */
  readonly charts: boolean;
}

/** Digests of all that a training comes to, by file. */
export type Outcome = Readonly<Record<string, string>>;

export interface ProvedTraining {
  readonly outcome: Outcome;
  readonly kills: number;
  /** After how many of them it went on from within an epoch. */
  readonly withinEpochs: number;
}

export interface TrainingBench {
  /** Fails where two ways differ. */
  prove(training: ShippedTraining, proof: SameBitsProof): Promise<ProvedTraining>;
  remove(): void;
}

export async function openTrainingBench(): Promise<TrainingBench> {
  const root = mkdtempSync(join(tmpdir(), "tfpipe-same-bits-"));
  const worker = await bundleWorker("src/ml/data/loader-worker.ts");
  const images = writeImages(join(root, "train"), 24);
  const valid = writeImages(join(root, "valid"), 9);
  let count = 0;
  const newFolder = (name: string) => join(root, `${name}-${count++}`);
  return {
    async prove(training, proof) {
      const mean = [0.45, 0.4, 0.42];
      const transform = { transforms: fillInMean(training.transforms, mean), mean, std: [0.2, 0.25, 0.22], seed: 4 };
      const data: Data = {
        train: writeTinyTransform(newFolder("transformed"), images, transform),
        valid: writeTinyTransform(newFolder("normalized"), valid, { ...transform, transforms: [] }),
        worker,
      };
      const outcomeOf = (run: TinyRun) => measure(run, data, proof, newFolder("outcome"));
      const whole = await outcomeOf(await straight(training, data, proof));
      expect(await outcomeOf(await inTwoParts(training, data, proof)), "in two parts").toEqual(whole);
      const { run, ...kills } = await killed(training, data, proof);
      expect(await outcomeOf(run), "killed").toEqual(whole);
      return { outcome: whole, ...kills };
    },
    remove() {
      worker.remove();
      rmSync(root, { recursive: true });
    },
  };
}

interface Data {
  readonly train: DatasetSource;
  readonly valid: DatasetSource;
  readonly worker: BundledWorker;
}

async function straight(training: ShippedTraining, data: Data, proof: SameBitsProof): Promise<TinyRun> {
  const store = folderStore();
  try {
    return await execute(training, data, (sources) =>
      trainTiny({ ...training.settings, epochs: proof.epochs }, store, { ...proof, sources }),
    );
  } finally {
    store.remove();
  }
}

/** The second part with other loader threads than the first: nothing depends on how many there are. */
async function inTwoParts(training: ShippedTraining, data: Data, proof: SameBitsProof): Promise<TinyRun> {
  const store = folderStore();
  const { settings } = training;
  const part = (epochs: number, threads: ShippedTraining["threads"]) =>
    execute({ ...training, threads }, data, (sources) =>
      trainTiny({ ...settings, epochs }, store, { ...proof, sources }),
    );
  try {
    await part(proof.first, training.threads);
    const next = LOADER_THREADS[(LOADER_THREADS.indexOf(training.threads) + 1) % 4]!;
    const run = await part(proof.epochs, next);
    // Over another horizon the others have other rates, from the first step or the second epoch on.
    const { schedule } = settings;
    const isOfItsEpochs =
      schedule.type !== "oneCycle" && !(schedule.type === "cosine" && schedule.epochs === undefined);
    const left = Math.max(0, run.history.epochs.length - proof.first);
    if (isOfItsEpochs) expect(run.steps, "steps of the second part").toHaveLength(left * batchesOf(training));
    return run;
  } finally {
    store.remove();
  }
}

/** Again and again, until it comes to its end. Of every two steps the state is saved, by a clock that ticks with the steps. */
async function killed(
  training: ShippedTraining,
  data: Data,
  proof: SameBitsProof,
): Promise<Omit<ProvedTraining, "outcome"> & { readonly run: TinyRun }> {
  const store = folderStore();
  const rng = createRng(proof.seed, "kills", training.name);
  const settings = { ...training.settings, epochs: proof.epochs, checkpointMinutes: 2 };
  const most = Math.ceil(proof.epochs * batchesOf(training) * 0.6);
  let minutes = 0;
  let withinEpochs = 0;
  const clock = {
    now: () => minutes * MINUTE_MS,
    onStep: () => {
      minutes++;
    },
  };
  try {
    for (let kills = 0; ; kills++) {
      const killAfterSteps = 2 + rng.integer(most);
      try {
        const run = await execute(training, data, (sources) =>
          trainTiny(settings, store, { ...proof, ...clock, sources, killAfterSteps }),
        );
        expect(kills, "kills").toBeGreaterThan(0);
        return { run, kills, withinEpochs };
      } catch (error) {
        if ((error as Error).message !== "killed by the test") throw error;
        if (store.keys().some((key) => key.includes("within-epoch"))) withinEpochs++;
      }
      expect(kills, "kills").toBeLessThan(100);
    }
  } finally {
    store.remove();
  }
}

const batchesOf = ({ dropLast }: ShippedTraining) => (dropLast ? Math.floor(24 / BATCH) : Math.ceil(24 / BATCH));

/** Loaders as the train stage opens them, closed afterwards. */
async function execute<T>(
  { threads, dropLast }: ShippedTraining,
  { train, valid, worker }: Data,
  run: (sources: { train: ImageSource; trainEvaluation: ImageSource; valid: ImageSource }) => Promise<T>,
): Promise<T> {
  const pixelFiles = new Map();
  const opened: ImageSource[] = [];
  const open = (
    from: DatasetSource,
    purpose: string,
    options: { dropLast: boolean; shuffle: boolean; threads: number },
  ) => {
    const dataset = openDataset(from, pixelFiles);
    const source = createImageSource({
      dataset,
      batchSize: BATCH,
      seed: 3,
      purpose,
      workerModule: worker.path,
      ...options,
    });
    opened.push(source);
    return source;
  };
  const inOrder = { dropLast: false, shuffle: false };
  try {
    return await run({
      train: open(train, "train", { dropLast, shuffle: true, threads }),
      trainEvaluation: open(train, "trainAccuracy", { ...inOrder, threads: 0 }),
      valid: open(valid, "valid", { ...inOrder, threads: Math.min(1, threads) }),
    });
  } finally {
    for (const { loader } of opened) await loader.close();
    for (const pixels of pixelFiles.values()) pixels.close();
  }
}

/** As the evaluate and plot stages do it. */
async function measure(
  { state, history }: TinyRun,
  { valid }: Data,
  { openEngine, charts }: SameBitsProof,
  folder: string,
): Promise<Outcome> {
  mkdirSync(folder);
  const engine = await openEngine();
  const network = createNetwork(engine, TINY);
  const dataset = openDataset(valid);
  const source = createImageSource({
    ...{ dataset, batchSize: BATCH, dropLast: false, shuffle: false, seed: 0, purpose: "test", threads: 0 },
  });
  try {
    network.loadStateDict(state);
    const collector = new PredictionCollector(dataset.length, dataset.classNames);
    const pass = await evaluateNetwork({
      engine,
      network,
      source,
      onBatch: (logits, labels) => collector.add(logits, labels),
    });
    writePredictions(folder, collector.finish(pass).predictions);
  } finally {
    await source.loader.close();
    dataset.close();
    network.close();
    await engine.close();
  }
  writeHistory(folder, history);
  const made = { path: (file = "") => join(folder, file) };
  const sources = { history: made, predictions: made, examples: valid };
  if (charts) await plotCharts(PLOT, sources, FONTS, folder, { drawn: () => {}, warn: () => {} });
  const digests = readdirSync(folder).map((file) => [file, digestOf(readFileSync(join(folder, file)))]);
  return { ...Object.fromEntries(digests), "model weights": digestOf(bytesOf({ state } as TinyRun)) };
}

/** Specifications and data of all charts; what is rendered of them is a function of those (test/ml/charts). */
const PLOT = fitSchema(plotSchema as JsonObject, {
  charts: plotSchema.properties.charts.items.enum,
  formats: [],
}).value as unknown as PlotSettings;

function digestOf(bytes: string | Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Class c is brighter in channel c; the rest is noise. */
function writeImages(folder: string, images: number): DatasetSource {
  mkdirSync(folder);
  const rng = createRng(7, "images", images);
  const writer = createImagesWriter(folder, {
    ...{ count: images, height: SIZE, width: SIZE, channels: 3, classNames: CLASSES },
  });
  for (let image = 0; image < images; image++) {
    const label = image % CLASSES.length;
    const pixels = Uint8Array.from(
      { length: SIZE * SIZE * 3 },
      (_, at) => rng.integer(128) + (at % 3 === label ? 100 : 0),
    );
    writer.write(image, pixels, Int32Array.of(label));
  }
  writer.finish();
  writer.close();
  return folderSource(folder);
}
