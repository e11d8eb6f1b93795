/**
 * Two thousand steps on the native engine (or another: `node scripts/check-long-run.mjs wasm`) leave no tensor behind and no
 * more memory than the first hundreds did. With what changes from step to step: one cycle of rate and momentum, mixup, smoothed
 * labels, clipped and accumulated gradients, an averaged model, a checkpoint an epoch. Uses the built package.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as ml from "../dist/ml.js";

const THREADS = 2;
const [STEPS, EPOCHS, BATCH, SIZE] = [2000, 20, 16, 16];
const GROWTH_LIMIT_BYTES = 32e6;

const name = process.argv[2] ?? "native";
if (process.env.TFPIPE_LONG_RUN === undefined) {
  // TensorFlow reads its environment once, when the process starts.
  const env = { ...process.env, ...ml.nativeEnvironment(THREADS), TFPIPE_LONG_RUN: "1" };
  const { status } = spawnSync(process.execPath, ["--expose-gc", fileURLToPath(import.meta.url), name], {
    env,
    stdio: "inherit",
  });
  process.exit(status ?? 1);
}

const choice = ml.resolveEngine(name);
if ("problem" in choice) throw new Error(`${choice.problem}; ${choice.help}`);
const engine = await ml.openEngine(name, { threads: THREADS, precision: "float32", folder: choice.folder });
const model = ml.describeModel({ block: "basic", layers: [1, 1, 1, 1], numClasses: 10 });
const network = ml.createNetwork(engine, model);
network.loadStateDict(ml.initialState(model, 1));

const batches = STEPS / EPOCHS;
const images = Uint8Array.from({ length: BATCH * SIZE * SIZE * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
const labels = Int32Array.from({ length: BATCH }, (_, i) => i % 10);
const loader = {
  batchesPerEpoch: batches,
  imagesPerEpoch: batches * BATCH,
  waitedMs: () => 0,
  close: async () => {},
  async *epoch(_, first = 0) {
    const indices = labels.map((_, i) => i);
    for (let i = first; i < batches; i++) yield { images, labels, indices, shape: [BATCH, SIZE, SIZE, 3] };
  },
};
const folder = mkdtempSync(join(tmpdir(), "tfpipe-long-run-"));
const measured = [];
let steps = 0;
try {
  await ml.trainModel({
    engine,
    network,
    settings: {
      ...{ epochs: EPOCHS, batchSize: BATCH, seed: 1, trainAccuracy: "none", select: "last", logInterval: 0 },
      optimizer: {
        ...{ type: "sgd", learningRate: 0.02, momentum: 0.9, dampening: 0, nesterov: true },
        ...{ weightDecay: 5e-4, weightDecayOn: "all" },
      },
      schedule: {
        ...{ type: "oneCycle", pctStart: 0.3, divFactor: 25, finalDivFactor: 1e4, annealStrategy: "cos" },
        ...{ cycleMomentum: true, baseMomentum: 0.85, maxMomentum: 0.95 },
      },
      ...{ labelSmoothing: 0.1, mixup: { alpha: 0.2 }, clipGradient: { norm: 10 }, accumulateSteps: 2 },
      weightAverage: { decay: 0.99, start: 0, useBuffers: true },
    },
    train: { loader, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    checkpoints: {
      find: async () => undefined,
      save: async (_, write) => {
        const checkpoint = mkdtempSync(join(folder, "checkpoint-"));
        await write(checkpoint);
        rmSync(checkpoint, { recursive: true });
      },
      drop: async () => {},
    },
    signal: new AbortController().signal,
    now: () => performance.now(),
    onStep() {
      if (++steps % 100 !== 0) return;
      globalThis.gc();
      globalThis.gc();
      const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
      measured.push({ steps, rss, heap: heapUsed + arrayBuffers, tensors: engine.liveTensors() });
      const [resident, heap] = [rss, heapUsed + arrayBuffers].map((bytes) => (bytes / 1e6).toFixed(1));
      console.log(`${steps} steps: ${resident} MB resident, ${heap} MB of JavaScript, ${engine.liveTensors()} tensors`);
    },
  });
} finally {
  rmSync(folder, { recursive: true });
}
const left = engine.liveTensors();
network.close();
await engine.close();

// Resident memory swings by some 40 MB with every checkpoint, as the allocator takes and gives back: medians tell.
const median = (from, to) => {
  const rss = measured.filter((at) => at.steps > from && at.steps <= to).map((at) => at.rss);
  return rss.sort((a, b) => a - b)[rss.length >> 1];
};
const growth = median(STEPS - 700, STEPS) - median(300, 1000);
console.log(
  `from steps 300-1000 to ${STEPS - 700}-${STEPS}: ${(growth / 1e6).toFixed(1)} MB resident; ${left} tensors are left`,
);
// Half a step's gradients may be held when they are counted, the same number each time.
const steady = measured.every(({ tensors }) => tensors === measured[0].tensors);
if (!steady) console.error("the number of live tensors changed");
if (growth > GROWTH_LIMIT_BYTES) console.error(`resident memory grew by more than ${GROWTH_LIMIT_BYTES / 1e6} MB`);
process.exit(steady && left === 0 && growth <= GROWTH_LIMIT_BYTES ? 0 : 1);
