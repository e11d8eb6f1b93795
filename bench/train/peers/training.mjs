/** A training of the product on one repeated batch, for whoever measures its steps. Takes the product's bundle as `ml`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../places.mjs";

export const MEAN = [0.4914, 0.4822, 0.4465];
export const STD = [0.247, 0.2435, 0.2616];
const ENDLESS = 1e6;

/** uint8 [count, height, width, 3], the same in every process. */
export const makePixels = (count, [height, width]) =>
  Uint8Array.from({ length: count * height * width * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
export const makeLabels = (count) => Int32Array.from({ length: count }, (_, i) => i % 10);

/** Throws `UnsupportedOnEngine` where the engine refuses the settings, as the engine itself does. */
export async function openEngine(ml, threads, { engine: name = "native", ...numerics }) {
  const choice = ml.resolveEngine(name);
  if ("problem" in choice) throw new Error(`${choice.problem}; ${choice.help}`);
  return ml.openEngine(name, { threads, precision: "float32", ...numerics, folder: choice.folder });
}

export function createNetwork(ml, engine, spec) {
  const model = ml.describeModel({ ...spec, numClasses: 10 });
  const network = ml.createNetwork(engine, model);
  network.loadStateDict(ml.initialState(model, 1));
  return network;
}

/** What `trainModel` takes; what is not said here is as the train stage's schema has it. */
export function createTraining(ml, { engine, network, source, batch, onStep }) {
  const schema = JSON.parse(readFileSync(join(root, "schemas", "train.schema.json"), "utf8"));
  const params = {
    ...{ epochs: 1, batchSize: batch, seed: 1, trainAccuracy: "none", select: "last", logInterval: 0 },
    optimizer: { type: "sgd", learningRate: 0.01, momentum: 0.9 },
    schedule: { type: "constant" },
  };
  return {
    ...{ engine, network, train: source, onStep },
    settings: ml.fitSchema(schema, params).value,
    checkpoints: { find: async () => undefined, save: async () => {}, drop: async () => {} },
    signal: new AbortController().signal,
    now: () => performance.now(),
  };
}

/** Images whose loader always has the same batch ready, so that steps alone are measured. */
export function repeatOneBatch(batch, size) {
  const indices = Int32Array.from({ length: batch }, (_, i) => i);
  const one = { images: makePixels(batch, size), labels: makeLabels(batch), indices, shape: [batch, ...size, 3] };
  const loader = {
    ...{ batchesPerEpoch: ENDLESS, imagesPerEpoch: ENDLESS * batch, waitedMs: () => 0, close: async () => {} },
    async *epoch() {
      for (let i = 0; i < ENDLESS; i++) yield one;
    },
  };
  return { loader, mean: MEAN, std: STD };
}
