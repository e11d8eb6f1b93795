import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FolderStore, folderStore, SETTINGS, trainTiny } from "./tiny-training.ts";

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

describe("what a training records", () => {
  test("a loss per minibatch, and per epoch the rate, the losses and the accuracies as fractions", async () => {
    const { history } = await trainTiny({ trainAccuracy: "eval" }, store);
    expect(history.iterationsPerEpoch).toBe(5);
    expect(history.loss).toHaveLength(15);
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const { trainAccuracy, validAccuracy, learningRate, trainLoss } of history.epochs) {
      expect(learningRate).toBe(0.1);
      expect(trainLoss).toBeGreaterThan(0);
      for (const accuracy of [trainAccuracy!, validAccuracy!]) expect(accuracy >= 0 && accuracy <= 1).toBe(true);
    }
    expect(history.stopped).toBeUndefined();
  });

  test("the train loss weighs a smaller last batch by its images", async () => {
    const { history } = await trainTiny({ epochs: 1 }, store);
    const [a, b, c, d, e] = history.loss as [number, number, number, number, number];
    expect(history.epochs[0]!.trainLoss).toBeCloseTo((5 * (a + b + c + d) + 4 * e) / 24, 14);
  });

  test("without validation images the best epoch is that of the lowest train loss", async () => {
    const { history } = await trainTiny({ epochs: 4, trainAccuracy: "none" }, store, { valid: false });
    const losses = history.epochs.map(({ trainLoss }) => trainLoss);
    expect(history.bestEpoch).toBe(losses.indexOf(Math.min(...losses)) + 1);
    expect(history.epochs[0]).not.toHaveProperty("trainAccuracy");
    expect(history.epochs[0]).not.toHaveProperty("validAccuracy");
  });

  test("the loss falls near to zero on images that can be told apart", async () => {
    const { history } = await trainTiny({ epochs: 30, trainAccuracy: "eval" }, store);
    expect(history.loss.at(-1)).toBeLessThan(0.1);
    expect(history.epochs.at(-1)!.trainAccuracy).toBe(1);
    expect(history.epochs.at(-1)!.validAccuracy).toBe(1);
  });

  test("no tensor is left behind, also when it is stopped within an epoch", async () => {
    const left: number[] = [];
    const onEnd = (live: number) => left.push(live);
    await trainTiny({}, store, { onEnd });
    await expect(trainTiny({ epochs: 4 }, store, { onEnd, stopAfterSteps: 2 })).rejects.toThrow();
    expect(left).toEqual([0, 0]);
  });

  test("a plateau lowers the rate of the next epoch", async () => {
    const schedule = {
      type: "plateau",
      metric: "validAccuracy",
      mode: "auto",
      factor: 0.1,
      patience: 0,
      threshold: 2,
      thresholdMode: "abs",
      cooldown: 0,
      minLr: 0,
    } as const;
    const { history } = await trainTiny({ schedule }, store);
    expect(history.epochs.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.1, 0.1 * 0.1]);
  });
});

describe("what a training says", () => {
  test("a line every logInterval steps and one an epoch, in the published form", async () => {
    const { lines } = await trainTiny({ epochs: 1, logInterval: 2 }, store);
    expect(lines[0]).toMatch(/^Epoch: 001\/001 \| Batch 0002\/0005 \| Loss: \d\.\d{4}$/);
    expect(lines[1]).toMatch(/^Epoch: 001\/001 \| Batch 0004\/0005 \| Loss: /);
    expect(lines[2]).toMatch(
      /^Epoch: 001\/001 \| Train: \d+\.\d\d% \| Valid: \d+\.\d\d% \| Loss: \d\.\d{4} \| Learning rate: 0.1 \| Elapsed: \d+\.\d\d min$/,
    );
    expect(lines).toHaveLength(3);
  });

  test("figures after each step, with images per second of training alone and the time that is left", async () => {
    const { steps } = await trainTiny({}, store);
    expect(steps.map(({ epoch, step }) => [epoch, step])).toHaveLength(15);
    expect(steps[0]!.speed.imagesPerSecond).toBeGreaterThan(0);
    expect(steps[0]!.speed.etaMs).toBeGreaterThan(0);
    expect(steps.at(-1)!.speed.etaMs).toBe(0);
    expect(steps.at(-1)!.accuracy).toBeDefined();
  });
});

describe("a training that diverges", () => {
  const corrupt = (value: number) => (state: Record<string, { data: unknown }>) => {
    (state["conv1.weight"]!.data as Float32Array).fill(value);
  };

  test("names epoch, step, rate and the layer whose activations overflowed, and saves no checkpoint of it", async () => {
    const optimizer = { ...SETTINGS.optimizer, learningRate: 1e38 };
    await expect(trainTiny({ optimizer }, store)).rejects.toThrow(
      /^the loss is (NaN|Infinity) at epoch 1, step 2 of 5, learning rate 1e\+38: the first layer with a non-finite value is bn1 \(bn1\.running_/,
    );
    expect(store.keys()).toEqual([]);
  });

  test("names the layer whose weights are not finite", async () => {
    await expect(trainTiny({}, store, { corrupt: corrupt(Number.NaN) })).rejects.toThrow(
      "the loss is NaN at epoch 1, step 1 of 5, learning rate 0.1: the first layer with a non-finite value is conv1 (conv1.weight)",
    );
  });

  test("is found in eval mode too, where only the running statistics overflowed", async () => {
    await expect(trainTiny({}, store, { corrupt: corrupt(3e38) })).rejects.toThrow(
      /^the loss in eval mode is NaN after the last step of epoch 1.*is bn1 \(bn1\.running_mean\)$/,
    );
  });
});

test("a training stops early, and says why", async () => {
  const earlyStop = { metric: "validLoss", patience: 2, minDelta: 10 } as const;
  const { history } = await trainTiny({ epochs: 9, earlyStop }, store);
  expect(history.epochs).toHaveLength(3);
  expect(history.stopped).toBe("validLoss did not improve for 2 epochs");
});

test("a wish to stop that arrives from outside is seen after the step, though the engine never waits", async () => {
  const abort = new AbortController();
  let steps = 0;
  const training = trainTiny({ epochs: 4 }, store, {
    signal: abort.signal,
    onStep() {
      // As a message from another process does: behind whatever runs in this turn of the event loop.
      if (++steps === 2) setImmediate(() => abort.abort(new Error("stopped by the test")));
    },
  });
  await expect(training).rejects.toThrow("stopped by the test");
  expect(steps).toBeLessThanOrEqual(3);
});
