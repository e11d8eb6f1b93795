/** Checkpoints within an epoch: a training that is killed at any step goes on from the last of them, in the same bits. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { createRng } from "../../../src/rng.ts";
import { bytesOf, type FolderStore, folderStore, type TinyOptions, type TinyRun, trainTiny } from "./tiny-training.ts";

const STEPS = 5;
const MINUTE_MS = 60_000;
const average = { weightAverage: { decay: 0.9, start: 0, useBuffers: true } };

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

/** A clock by which every step takes a minute. */
function minuteSteps(): Required<Pick<TinyOptions, "now" | "onStep">> {
  let minutes = 0;
  return {
    now: () => minutes * MINUTE_MS,
    onStep: () => {
      minutes++;
    },
  };
}

async function straight(settings: Partial<TrainingSettings>): Promise<TinyRun> {
  const own = folderStore();
  try {
    return await trainTiny(settings, own);
  } finally {
    own.remove();
  }
}

const killed = (settings: Partial<TrainingSettings>, killAfterSteps: number) =>
  expect(trainTiny(settings, store, { ...minuteSteps(), killAfterSteps })).rejects.toThrow("killed by the test");
const within = () => store.keys().filter((key) => key.includes("within-epoch"));

test("a checkpoint is saved after every so many minutes, in the place of the one before, and goes with its epoch", async () => {
  const saved: string[] = [];
  const spied: FolderStore = {
    ...store,
    async save(key, write, use) {
      await store.save(key, write, use);
      const { type, epoch } = key as { type: string; epoch: number };
      saved.push(
        `${type === "train/epoch" ? "epoch" : "within"} ${epoch}${use?.passing ? ", passing" : ""}: ${within().length}`,
      );
    },
  };
  await trainTiny({ epochs: 2, checkpointMinutes: 2 }, spied, minuteSteps());
  expect(saved).toEqual([
    "within 1, passing: 1",
    "within 1, passing: 1",
    "epoch 1: 1",
    "within 2, passing: 1",
    "within 2, passing: 1",
    "epoch 2: 1",
  ]);
  expect(within()).toEqual([]);
});

test("without minutes, or before they have passed, none is saved", async () => {
  await killed({}, 4);
  await killed({ checkpointMinutes: 0 }, 4);
  await killed({ checkpointMinutes: 5 }, 4);
  expect(store.keys()).toEqual([]);
});

test("accumulated gradients are waited for: only whole optimiser steps are saved", async () => {
  await killed({ accumulateSteps: 3, checkpointMinutes: 1 }, 3);
  expect(within()).toEqual([]);
  await killed({ accumulateSteps: 3, checkpointMinutes: 1 }, 4);
  const resumed = await trainTiny({ accumulateSteps: 3 }, store);
  expect(resumed.lines[0]).toBe("Resumed in epoch 1, after batch 3");
});

test("one that is killed while its epoch is measured has lost no step", async () => {
  const settings = { checkpointMinutes: 1 } as const;
  const fault = new Error("killed by the test");
  const dying: FolderStore = {
    ...store,
    async save(key, write, use) {
      if (use?.passing !== true) throw fault;
      await store.save(key, write, use);
    },
  };
  await expect(trainTiny(settings, dying, minuteSteps())).rejects.toThrow(fault);
  const resumed = await trainTiny(settings, store);
  expect(resumed.lines[0]).toBe(`Resumed in epoch 1, after batch ${STEPS}`);
  expect(resumed.steps).toHaveLength(2 * STEPS);
  expect(bytesOf(resumed)).toBe(bytesOf(await straight({})));
});

test("weights that are no longer finite are not saved: the step that shows it ends the training, whatever the clock says", async () => {
  const settings = {
    checkpointMinutes: 1,
    optimizer: {
      type: "sgd",
      learningRate: 1e30,
      momentum: 0,
      dampening: 0,
      nesterov: false,
      weightDecay: 0,
      weightDecayOn: "all",
    },
  } as const;
  const messageOf = (run: Promise<unknown>) => run.then(String, (error: Error) => error.message);
  const unhurried = await messageOf(trainTiny({ ...settings, checkpointMinutes: 0 }, store));
  expect(unhurried).toMatch(/^the loss is .* at epoch 1, step \d of 5/);
  expect(await messageOf(trainTiny(settings, store, minuteSteps()))).toBe(unhurried);
});

describe.each([1, 2, 3, 4, 5, 6])("with seed %i", (seed) => {
  test.each([
    ["as it is", {}],
    ["with accumulated gradients and an average", { accumulateSteps: 2, ...average }],
    ["with the best model selected, measured on all training images", { select: "best", trainAccuracy: "eval" }],
  ] as [string, Partial<TrainingSettings>][])(
    "killed at random steps, it ends in the same bits: %s",
    async (_, given) => {
      const settings = { ...given, checkpointMinutes: 2 };
      const rng = createRng(seed, "kills");
      const minutes = minuteSteps();
      let kills = 0;
      for (;;) {
        try {
          const run = await trainTiny(settings, store, { ...minutes, killAfterSteps: 1 + rng.integer(6) });
          const whole = await straight(given);
          expect(bytesOf(run)).toBe(bytesOf(whole));
          expect(run.history).toEqual(whole.history);
          break;
        } catch (error) {
          expect((error as Error).message).toBe("killed by the test");
          kills++;
        }
      }
      expect(kills).toBeGreaterThan(1);
      expect(within()).toEqual([]);
    },
  );
});
