/**
 * Our side, by the product's own paths: steps are those of `trainModel`, evaluation is `evaluateNetwork`, batches come
 * from `createLoader`. Started by run.mjs with one request.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importProduct } from "../places.mjs";
import { MEAN, makeLabels, makePixels, peakBytes, reply, request, STD, startStopwatch } from "./process.mjs";

const ml = await importProduct();
const { kind, batch, size, threads, settings } = request;
const ENDLESS = 1e6;

if (kind === "load") await measureLoader();
else await measureNetwork();

async function measureNetwork() {
  const engine = await openEngine();
  if (engine === undefined) return;
  const model = ml.describeModel({ ...request.model, numClasses: 10 });
  const network = ml.createNetwork(engine, model);
  network.loadStateDict(ml.initialState(model, 1));
  const stopwatch = startStopwatch();
  const source = kind === "wait" ? openWorkers().source : repeatOneBatch();
  let mark;
  const afterStep = () => {
    const done = stopwatch.lap();
    mark ??= { waitedMs: 0, now: 0 };
    const { length } = stopwatch.seconds;
    // The pipeline of batches fills up before the first step: not what a training waits for.
    if (length === 0) mark = { waitedMs: source.loader.waitedMs(), now: performance.now() };
    if (!done) return;
    const { seconds } = stopwatch;
    const waiting = (source.loader.waitedMs() - mark.waitedMs) / (performance.now() - mark.now);
    reply({ seconds, peakBytes: peakBytes(), version: engine.version, ...(kind === "wait" && { share: waiting }) });
    return new Promise(() => {}); // the process ends here
  };
  if (kind === "evaluate") await ml.evaluateNetwork({ engine, network, source, beforeBatch: beforeBatch(afterStep) });
  else await ml.trainModel(training(engine, network, source, afterStep));
}

/** `evaluateNetwork` asks before each batch: the first time, nothing has been done yet. */
function beforeBatch(afterStep) {
  let first = true;
  return () => {
    if (!first) return afterStep();
    first = false;
  };
}

function training(engine, network, source, afterStep) {
  const schema = JSON.parse(readFileSync(new URL("../../../schemas/train.schema.json", import.meta.url), "utf8"));
  const params = {
    ...{ epochs: 1, batchSize: batch, seed: 1, trainAccuracy: "none", select: "last", logInterval: 0 },
    optimizer: { type: "sgd", learningRate: 0.01, momentum: 0.9 },
    schedule: { type: "constant" },
  };
  return {
    ...{ engine, network, train: source },
    settings: ml.fitSchema(schema, params).value,
    checkpoints: { find: async () => undefined, save: async () => {}, drop: async () => {} },
    signal: new AbortController().signal,
    now: () => performance.now(),
    onStep: afterStep,
  };
}

/** A loader that always has the same batch ready, so that steps alone are measured. */
function repeatOneBatch() {
  const [height, width] = size;
  const indices = Int32Array.from({ length: batch }, (_, i) => i);
  const one = { images: makePixels(batch, size), labels: makeLabels(batch), indices, shape: [batch, height, width, 3] };
  return {
    loader: {
      ...{ batchesPerEpoch: ENDLESS, imagesPerEpoch: ENDLESS * batch, waitedMs: () => 0, close: async () => {} },
      async *epoch() {
        for (let i = 0; i < ENDLESS; i++) yield one;
      },
    },
    ...{ mean: MEAN, std: STD },
  };
}

/** Images of 32 px out of a file, through `request.transforms`, by worker threads. Enough for one epoch. */
function openWorkers() {
  const folder = mkdtempSync(join(tmpdir(), "tfpipe-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const count = 10_000;
  const classNames = Array.from({ length: 10 }, (_, i) => `class ${i}`);
  const writer = ml.createImagesWriter(folder, { ...{ count, height: 32, width: 32, channels: 3 }, classNames });
  writer.write(0, makePixels(count, [32, 32]), makeLabels(count));
  writer.finish();
  writer.close();
  const stored = { path: (file = "") => join(folder, file), references: {}, files: [{ path: "images.safetensors" }] };
  const base = ml.openDataset(stored);
  const view = mkdtempSync(join(folder, "view-"));
  const transform = { transforms: request.transforms, mean: MEAN, std: STD, seed: 1 };
  ml.writeTransformed(view, base, transform, [0, 0]);
  const dataset = ml.openDataset({
    ...{ path: (file = "") => join(view, file), references: { base: stored }, files: [{ path: "transform.json" }] },
  });
  const options = { batchSize: batch, dropLast: true, shuffle: true, seed: 1, purpose: "train", threads };
  const workerModule = new URL("../../.env/product/loader-worker.js", import.meta.url);
  return { source: ml.createImageSource({ dataset, ...options, workerModule }) };
}

async function measureLoader() {
  const { loader } = openWorkers().source;
  const stopwatch = startStopwatch();
  let checksum = 0;
  for (let epoch = 1; ; epoch++)
    for await (const { images } of loader.epoch(epoch)) {
      checksum += images[0];
      // A window of batches is one figure: workers finish in bursts.
      if (stopwatch.lap()) {
        const { seconds } = stopwatch;
        const total = seconds.reduce((sum, second) => sum + second, 0);
        return reply({ seconds: [total / seconds.length], peakBytes: peakBytes(), version: `checksum ${checksum}` });
      }
    }
}

/** Undefined, and a reply, where the engine refuses the settings: that variant is then left out by name. */
async function openEngine() {
  const { engine: name = "native", ...numerics } = settings;
  const choice = ml.resolveEngine(name);
  if ("problem" in choice) throw new Error(`${choice.problem}; ${choice.help}`);
  try {
    return await ml.openEngine(name, { threads, precision: "float32", ...numerics, folder: choice.folder });
  } catch (error) {
    if (error.name !== "UnsupportedOnEngine") throw error;
    reply({ refused: error.message });
  }
}
