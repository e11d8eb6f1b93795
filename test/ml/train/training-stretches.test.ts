/** Each epoch of a training can be trained alone from the links that it names, and ends in the very link of the training. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { canonicalJson, type JsonValue } from "../../../src/json.ts";
import type { CheckpointStore } from "../../../src/ml/train/resume-point.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { trainingStretches } from "../../../src/ml/train/training-stretches.ts";
import { type FolderStore, folderStore, SETTINGS, trainTiny } from "./tiny-training.ts";

const STEPS = 5;
const PLATEAU = {
  type: "plateau",
  metric: "trainLoss",
  mode: "auto",
  factor: 0.5,
  patience: 0,
  threshold: 10,
  thresholdMode: "abs",
  cooldown: 0,
  minLr: 0,
} as const;

let store: FolderStore;
let alone: FolderStore;
beforeEach(() => {
  store = folderStore();
  alone = folderStore();
});
afterEach(() => {
  store.remove();
  alone.remove();
});

const stretches = (settings: Partial<TrainingSettings>) =>
  trainingStretches({ settings: { ...SETTINGS, ...settings }, batchesPerEpoch: STEPS, checkpoints: store });

const bytesIn = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));

/** Only what is needed can be found, and it ends when `to` is there. */
function limited(needs: readonly JsonValue[], to: JsonValue, reached: AbortController): CheckpointStore {
  const visible = new Set(needs.map(canonicalJson));
  return {
    ...alone,
    find: async (key) => (visible.has(canonicalJson(key)) ? store.find(key) : undefined),
    async save(key, write, use) {
      await alone.save(key, write, use);
      if (canonicalJson(key) === canonicalJson(to)) reached.abort(new Error("it is there"));
    },
  };
}

test.each<readonly [string, Partial<TrainingSettings>]>([
  ["the last model is wanted", { epochs: 4 }],
  ["the best model is wanted", { epochs: 4, select: "best" }],
  ["the schedule listens", { epochs: 4, schedule: PLATEAU }],
])("where %s", async (_, settings) => {
  await trainTiny(settings, store);
  const found = await stretches(settings);
  expect(found.map(({ name, done }) => [name, done])).toEqual(
    [1, 2, 3, 4].map((epoch) => [`epoch ${epoch}`, epoch * STEPS]),
  );
  expect(found[0]!.needs).toEqual([]);
  for (const [before, { needs, to }] of found.entries()) {
    const reached = new AbortController();
    const trained = trainTiny(settings, limited(needs, to, reached), { signal: reached.signal });
    if (before < 3) await expect(trained).rejects.toThrow("it is there");
    else await trained;
    expect(alone.epochs()).toEqual([before + 1]);
    expect(bytesIn(alone.link(before + 1))).toEqual(bytesIn(store.link(before + 1)));
    alone.forget(() => true);
  }
});

test("there is one more than there are links, and none behind an early stop", async () => {
  const names = async (settings: Partial<TrainingSettings>) => (await stretches(settings)).map(({ name }) => name);
  expect(await names({ epochs: 3 })).toEqual(["epoch 1"]);
  await trainTiny({ epochs: 2 }, store);
  expect(await names({ epochs: 2 })).toEqual(["epoch 1", "epoch 2"]);
  expect(await names({ epochs: 5 })).toEqual(["epoch 1", "epoch 2", "epoch 3"]);
  const earlyStop = { metric: "trainLoss", patience: 1, minDelta: 10 } as const;
  expect(await names({ epochs: 5, earlyStop })).toEqual(["epoch 1", "epoch 2"]);
});
