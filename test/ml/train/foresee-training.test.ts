/** What a plan says of a training is what the training then does. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { foreseeTraining } from "../../../src/ml/train/foresee-training.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { type FolderStore, folderStore, SETTINGS, trainTiny } from "./tiny-training.ts";

const STEPS = 5;

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

/** The clause, after a look at how many steps the training then takes. */
async function foreseen(settings: Partial<TrainingSettings>, steps: number): Promise<string> {
  const whole = { ...SETTINGS, ...settings };
  const { text, found } = await foreseeTraining({ settings: whole, batchesPerEpoch: STEPS, checkpoints: store });
  expect(found).toBe(store.keys().length > 0 && steps < whole.epochs * STEPS);
  const run = await trainTiny(settings, store);
  expect(run.steps).toHaveLength(steps);
  return text;
}

test("from nothing to more epochs, and to fewer", async () => {
  expect(await foreseen({ epochs: 2 }, 2 * STEPS)).toBe("no epoch of it is in the store: trains all 2");
  expect(await foreseen({ epochs: 3 }, STEPS)).toBe("resumes after epoch 2: trains 1 of 3");
  expect(await foreseen({ epochs: 2 }, 0)).toBe("its 2 epochs are in the store: trains none");
  expect(await foreseen({ epochs: 1 }, 0)).toBe("its one epoch is in the store: trains none");
  store.forget((key) => JSON.parse(key).epoch === 3);
  expect(await foreseen({ epochs: 4 }, 2 * STEPS)).toBe("resumes after epoch 2: trains 2 of 4");
});

test("within an epoch, to the batch", async () => {
  await expect(trainTiny({}, store, { stopAfterSteps: STEPS + 2 })).rejects.toThrow("stopped by the test");
  expect(await foreseen({}, 2 * STEPS - 2)).toBe("resumes in epoch 2, after batch 2 of 5: trains 2 of 3");
});

test("of a schedule over another horizon, only what is the same", async () => {
  const cosine = { type: "cosine", minLr: 0 } as const;
  await trainTiny({ epochs: 2, schedule: cosine }, store);
  expect(await foreseen({ epochs: 4, schedule: cosine }, 3 * STEPS)).toBe("resumes after epoch 1: trains 3 of 4");
  store.forget(() => true);
  const perStep = { ...cosine, per: "step" } as const;
  await trainTiny({ epochs: 2, schedule: perStep }, store);
  expect(await foreseen({ epochs: 3, schedule: perStep }, 3 * STEPS)).toBe(
    "no epoch of it is in the store: trains all 3",
  );
});

test("of an early stop, at most what is left, and nothing once it has come", async () => {
  const earlyStop = { metric: "trainLoss", patience: 1, minDelta: 10 } as const;
  await trainTiny({ epochs: 1 }, store);
  expect(await foreseen({ epochs: 5, earlyStop }, STEPS)).toBe("resumes after epoch 1: trains at most 4 of 5");
  expect(await foreseen({ epochs: 5, earlyStop }, 0)).toBe("its 2 epochs are in the store: trains none");
});

test("where the best one is wanted and gone, no later one will do", async () => {
  const settings = { epochs: 5, select: "best" } as const;
  const { history } = await trainTiny(settings, store);
  expect(history.bestEpoch).toBeGreaterThan(1);
  store.forget((key) => JSON.parse(key).epoch === history.bestEpoch);
  const left = history.bestEpoch - 1;
  expect(await foreseen(settings, (5 - left) * STEPS)).toBe(`resumes after epoch ${left}: trains ${5 - left} of 5`);
});
