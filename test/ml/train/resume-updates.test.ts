/** Everything that keeps state between steps beside the weights goes through checkpoints without losing a bit. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { bytesOf, type FolderStore, folderStore, type TinyRun, trainTiny } from "./tiny-training.ts";

/** Five minibatches an epoch. */
const BATCHES = 5;
const EPOCHS = 3;

type Optimizer = TrainingSettings["optimizer"];
const decay = { weightDecay: 0.01, weightDecayOn: "all" } as const;
const sgd = { ...decay, type: "sgd", learningRate: 0.1, momentum: 0.9, dampening: 0, nesterov: false } as const;
const adam = { ...decay, learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const rmsprop = { ...decay, type: "rmsprop", learningRate: 0.01, alpha: 0.9, epsilon: 1e-8 } as const;
const optimizers: Record<string, Optimizer> = {
  "SGD without momentum": { ...sgd, momentum: 0 },
  "SGD with Nesterov's momentum": { ...sgd, nesterov: true },
  "SGD with dampening": { ...sgd, dampening: 0.5 },
  Adam: { ...adam, type: "adam" },
  AdamW: { ...adam, type: "adamw" },
  RMSprop: { ...rmsprop, momentum: 0, centered: false },
  "centered RMSprop with momentum": { ...rmsprop, momentum: 0.9, centered: true },
  LARS: { ...sgd, type: "lars", learningRate: 1, trustCoefficient: 0.02, epsilon: 1e-8 },
};

const average = { decay: 0.9, start: 0, useBuffers: false };
const kinds: [string, Partial<TrainingSettings>][] = [
  ...Object.entries(optimizers).map(([name, optimizer]): [string, Partial<TrainingSettings>] => [name, { optimizer }]),
  ["a clipped norm", { clipGradient: { norm: 0.5 } }],
  ["clipped values", { clipGradient: { value: 0.01 } }],
  ["accumulated gradients", { accumulateSteps: 2 }],
  ["an average", { weightAverage: average }],
  ["an average that starts later", { weightAverage: { ...average, start: 1 } }],
  ["an average of the statistics too", { weightAverage: { ...average, useBuffers: true } }],
  [
    "all of it",
    {
      optimizer: optimizers.LARS!,
      clipGradient: { norm: 0.5 },
      accumulateSteps: 3,
      weightAverage: { ...average, start: 1, useBuffers: true },
      trainAccuracy: "eval",
      schedule: { type: "cosine", minLr: 0, per: "step" },
    },
  ],
];

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

async function straight(settings: Partial<TrainingSettings>): Promise<TinyRun> {
  const own = folderStore();
  try {
    return await trainTiny({ epochs: EPOCHS, ...settings }, own);
  } finally {
    own.remove();
  }
}

function expectSame(a: TinyRun, b: TinyRun): void {
  expect(bytesOf(a)).toBe(bytesOf(b));
  expect(a.history).toEqual(b.history);
}

describe.each(kinds)("with %s", (_, settings) => {
  test("stopped after ten of fifteen minibatches, it goes on to the same bits", async () => {
    const [live, whole] = [[] as number[], await straight(settings)];
    await expect(trainTiny(settings, store, { stopAfterSteps: 10 })).rejects.toThrow("stopped by the test");
    const resumed = await trainTiny(settings, store, { onEnd: (tensors) => live.push(tensors) });
    expect(resumed.steps).toHaveLength(EPOCHS * BATCHES - 10);
    expectSame(resumed, whole);
    expect(live).toEqual([0]);
  });

  test("stopped within an epoch, it goes on from a whole step to the same bits", async () => {
    const { accumulateSteps = 1 } = settings;
    const whole = await straight(settings);
    await expect(trainTiny(settings, store, { stopAfterSteps: 7 })).rejects.toThrow("stopped by the test");
    const resumed = await trainTiny(settings, store);
    // Minibatch 7 is the second of its epoch: where groups are of three, the step ends with minibatch 8.
    const done = BATCHES + Math.ceil(2 / accumulateSteps) * accumulateSteps;
    expect(resumed.steps).toHaveLength(EPOCHS * BATCHES - done);
    expectSame(resumed, whole);
  });

  test("it differs from a training without", async () => {
    // What is compared above would also be equal if a setting were ignored.
    expect(bytesOf(await straight(settings))).not.toBe(bytesOf(await straight({})));
  });
});

test("an average is resumed from an evaluation that was stopped, with the weights in their place", async () => {
  const settings = { weightAverage: average };
  const abort = new AbortController();
  const stopped = trainTiny(settings, store, {
    signal: abort.signal,
    async openEngine() {
      const engine = await createEngine({ threads: 1, precision: "float32", folder: "" });
      return {
        ...engine,
        // Only an evaluation normalises by running statistics; the second of its two batches is not begun.
        batchNormEval(...args: Parameters<typeof engine.batchNormEval>) {
          abort.abort(new Error("stopped by the test"));
          return engine.batchNormEval(...args);
        },
      };
    },
  });
  await expect(stopped).rejects.toThrow("stopped by the test");
  const resumed = await trainTiny(settings, store);
  expect(resumed.lines[0]).toBe(`Resumed in epoch 1, after batch ${BATCHES}`);
  expectSame(resumed, await straight(settings));
});

test("the best epoch's model is its average, found again without training", async () => {
  const settings = { weightAverage: average, select: "best" } as const;
  const run = await trainTiny(settings, store);
  const again = await trainTiny(settings, store);
  expect(again.steps).toHaveLength(0);
  expectSame(again, run);
  const last = await straight({ weightAverage: average, epochs: run.history.bestEpoch });
  expect(bytesOf(run)).toBe(bytesOf(last));
});

test("before an average starts, the weights themselves are measured and handed out", async () => {
  const late = await straight({ weightAverage: { ...average, start: EPOCHS } });
  expectSame(late, await straight({}));
});

test("what is measured is the average", async () => {
  const plain = await straight({});
  const averaged = await straight({ weightAverage: average });
  expect(averaged.history.loss).toEqual(plain.history.loss);
  expect(averaged.history.epochs[0]!.validLoss).not.toBe(plain.history.epochs[0]!.validLoss);
});

test("an average that keeps nothing of its past is the weights", async () => {
  const forgetful = await straight({ weightAverage: { decay: 0, start: 0, useBuffers: true } });
  const plain = await straight({});
  for (const [name, { data }] of Object.entries(plain.state))
    [...data].forEach((value, i) => {
      // a + 1 (v - a) rounds twice.
      expect(Math.abs(Number(forgetful.state[name]!.data[i]) - Number(value))).toBeLessThan(1e-6);
    });
});

test("a limit that no gradient reaches changes nothing, whether it clips norms or values", async () => {
  const plain = bytesOf(await straight({}));
  expect(bytesOf(await straight({ clipGradient: { norm: 1e6 } }))).toBe(plain);
  expect(bytesOf(await straight({ clipGradient: { value: 1e6 } }))).toBe(plain);
});

test("a gradient whose norm is not finite ends the training where it is", async () => {
  // Inputs of 1e30 to a layer of zeros leave a finite loss, and a gradient whose square overflows float32.
  const run = trainTiny({ clipGradient: { norm: 1 } }, store, {
    corrupt(state) {
      for (const name of ["fc.weight", "fc.bias"]) (state[name]!.data as Float32Array).fill(0);
      (state["bn1.bias"]!.data as Float32Array).fill(1e30);
    },
  });
  await expect(run).rejects.toThrow(
    "the gradient of fc.weight is not finite at epoch 1, step 1 of 5, learning rate 0.1; the loss is 1.098",
  );
});
