/**
 * Our side, by the product's own paths: steps are those of `trainModel`, evaluation is `evaluateNetwork`, batches come
 * from `createLoader`. Started by run.mjs with one request.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importProduct } from "../places.mjs";
import { peakBytes, reply, request, startStopwatch } from "./process.mjs";
import {
  createNetwork,
  createTraining,
  MEAN,
  makeLabels,
  makePixels,
  openEngine,
  repeatOneBatch,
  STD,
} from "./training.mjs";

const ml = await importProduct();
const { kind, batch, size, threads, settings } = request;

if (kind === "load") await measureLoader();
else await measureNetwork();

async function measureNetwork() {
  const engine = await openOrRefuse();
  if (engine === undefined) return;
  const network = createNetwork(ml, engine, request.model);
  const stopwatch = startStopwatch();
  const source = kind === "wait" ? openWorkers().source : repeatOneBatch(batch, size);
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
  else await ml.trainModel(createTraining(ml, { engine, network, source, batch, onStep: afterStep }));
}

/** `evaluateNetwork` asks before each batch: the first time, nothing has been done yet. */
function beforeBatch(afterStep) {
  let first = true;
  return () => {
    if (!first) return afterStep();
    first = false;
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
  for (let epoch = 1; ; epoch++)
    for await (const _ of loader.epoch(epoch)) {
      // A window of batches is one figure: workers finish in bursts.
      if (stopwatch.lap()) {
        const { seconds } = stopwatch;
        const total = seconds.reduce((sum, second) => sum + second, 0);
        return reply({ seconds: [total / seconds.length], peakBytes: peakBytes(), version: "" });
      }
    }
}

/** Undefined, and a reply, where the engine refuses the settings: that variant is then left out by name. */
async function openOrRefuse() {
  try {
    return await openEngine(ml, threads, settings);
  } catch (error) {
    if (error.name !== "UnsupportedOnEngine") throw error;
    reply({ refused: error.message });
  }
}
