import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { bytesOf, type FolderStore, folderStore, SETTINGS, type TinyRun, trainTiny } from "./tiny-training.ts";

const STEPS = 5;

const adam: TrainingSettings["optimizer"] = {
  type: "adamw",
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  weightDecayOn: "weights",
};
const plateau: TrainingSettings["schedule"] = {
  type: "plateau",
  metric: "minibatchLoss",
  mode: "auto",
  factor: 0.5,
  patience: 0,
  threshold: 0.5,
  thresholdMode: "rel",
  cooldown: 0,
  minLr: 0,
};

const oneCycle: TrainingSettings["schedule"] = {
  type: "oneCycle",
  pctStart: 0.3,
  divFactor: 25,
  finalDivFactor: 1e4,
  annealStrategy: "cos",
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
};
const warmPlateau: TrainingSettings["schedule"] = { ...plateau, warmup: { steps: 7, startFactor: 0.1 } };
const stepwiseCosine: TrainingSettings["schedule"] = { type: "cosine", minLr: 0, per: "step" };

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

function expectSame(a: TinyRun, b: TinyRun): void {
  expect(bytesOf(a)).toBe(bytesOf(b));
  expect(a.history).toEqual(b.history);
}

async function straight(settings: Partial<TrainingSettings>): Promise<TinyRun> {
  const own = folderStore();
  try {
    return await trainTiny(settings, own);
  } finally {
    own.remove();
  }
}

describe.each([
  ["SGD with momentum", { optimizer: SETTINGS.optimizer }],
  ["AdamW", { optimizer: adam }],
  ["plateau", { schedule: plateau, trainAccuracy: "eval" as const }],
  ["cosine", { schedule: { type: "cosine" as const, minLr: 0 } }],
  ["one cycle, momentum too", { schedule: oneCycle }],
  ["one cycle of AdamW", { schedule: oneCycle, optimizer: adam }],
  ["a warm-up per step and smoothed labels", { schedule: warmPlateau, labelSmoothing: 0.1 }],
  ["mixup", { schedule: stepwiseCosine, mixup: { alpha: 0.5 }, labelSmoothing: 0.1, trainAccuracy: "none" as const }],
])("with %s", (_, settings: Partial<TrainingSettings>) => {
  test("the same training twice gives the same bits", async () => {
    expectSame(await straight(settings), await straight(settings));
  });

  test("killed after the first epoch, it goes on to the same bits", async () => {
    await trainTiny(settings, store);
    store.forget((key) => JSON.parse(key).epoch > 1);
    expect(store.keys()).toHaveLength(1);
    const resumed = await trainTiny(settings, store);
    expect(resumed.steps).toHaveLength(2 * STEPS);
    expectSame(resumed, await straight(settings));
  });

  test.each([1, 3, STEPS, STEPS + 2])("stopped after step %i, it goes on from there to the same bits", async (stop) => {
    await expect(trainTiny(settings, store, { stopAfterSteps: stop })).rejects.toThrow("stopped by the test");
    expect(store.keys().filter((key) => key.includes("within-epoch"))).toHaveLength(1);
    const resumed = await trainTiny(settings, store);
    expect(resumed.steps).toHaveLength(3 * STEPS - stop);
    expectSame(resumed, await straight(settings));
    expect(store.keys().filter((key) => key.includes("within-epoch"))).toHaveLength(0);
  });
});

test("stopped again and again, it still ends in the same bits", async () => {
  let stops = 0;
  for (;;) {
    try {
      expectSame(await trainTiny({}, store, { stopAfterSteps: 2 }), await straight({}));
      break;
    } catch (error) {
      expect((error as Error).message).toBe("stopped by the test");
      stops++;
    }
  }
  expect(stops).toBe(7);
});

describe("a chain of epochs", () => {
  test("a longer training trains only the epochs that are new", async () => {
    await trainTiny({ epochs: 2 }, store);
    const longer = await trainTiny({ epochs: 3 }, store);
    expect(longer.steps).toHaveLength(STEPS);
    expectSame(longer, await straight({ epochs: 3 }));
  });

  test("a shorter training trains nothing, and is the shorter one's", async () => {
    await trainTiny({ epochs: 3 }, store);
    const shorter = await trainTiny({ epochs: 1 }, store);
    expect(shorter.steps).toHaveLength(0);
    expect(shorter.speed.imagesPerSecond).toBeUndefined();
    expectSame(shorter, await straight({ epochs: 1 }));
  });

  test("a cosine over more epochs shares only the first epoch, whose rate is the same", async () => {
    const schedule = { type: "cosine", minLr: 0 } as const;
    await trainTiny({ epochs: 2, schedule }, store);
    const longer = await trainTiny({ epochs: 3, schedule }, store);
    expect(longer.steps).toHaveLength(2 * STEPS);
    expectSame(longer, await straight({ epochs: 3, schedule }));
  });

  test("a cosine per step over more epochs shares nothing, one over a fixed number all it has", async () => {
    await trainTiny({ epochs: 2, schedule: stepwiseCosine }, store);
    expect((await trainTiny({ epochs: 3, schedule: stepwiseCosine }, store)).steps).toHaveLength(3 * STEPS);
    const fixed = { ...stepwiseCosine, epochs: 3 } as TrainingSettings["schedule"];
    expect((await trainTiny({ epochs: 2, schedule: fixed }, store)).steps).toHaveLength(0);
    expect((await trainTiny({ epochs: 3, schedule: fixed }, store)).steps).toHaveLength(0);
  });

  test("a step schedule that differs later shares the epochs before", async () => {
    await trainTiny({ schedule: { type: "step", stepSize: 2, gamma: 0.1 } }, store);
    const other = await trainTiny({ schedule: { type: "multistep", milestones: [2], gamma: 0.5 } }, store);
    expect(other.steps).toHaveLength(STEPS);
  });

  test("the best instead of the last needs no training", async () => {
    await trainTiny({ select: "last" }, store);
    const best = await trainTiny({ select: "best" }, store);
    expect(best.steps).toHaveLength(0);
    expectSame(best, await straight({ select: "best" }));
    expectSame(
      best,
      await straight({ epochs: best.history.bestEpoch }).then((run) => ({ ...run, history: best.history })),
    );
  });

  test("an early stop that is added later takes the model where it would have stopped", async () => {
    const earlyStop = { metric: "trainLoss", patience: 1, minDelta: 10 } as const;
    await trainTiny({ epochs: 3 }, store);
    const stopped = await trainTiny({ epochs: 3, earlyStop }, store);
    expect(stopped.steps).toHaveLength(0);
    expect(stopped.history.epochs).toHaveLength(2);
    expect(stopped.history.stopped).toBe("trainLoss did not improve for 1 epoch");
    expectSame(stopped, await straight({ epochs: 3, earlyStop }));
  });

  test("missing links in between do not matter, and a missing best one is trained again", async () => {
    const settings = { select: "best" } as const;
    const { history } = await trainTiny(settings, store);
    const [first, second, third] = store.keys();
    store.forget((key) => key !== third && key !== [first, second, third][history.bestEpoch - 1]);
    expect((await trainTiny(settings, store)).steps).toHaveLength(0);
    store.forget((key) => key === [first, second, third][history.bestEpoch - 1]);
    expectSame(await trainTiny(settings, store), await straight(settings));
  });

  test("milestones that differ only after epoch 2 share the first two", async () => {
    const milestones = (...after: number[]) => ({
      epochs: 4,
      schedule: { type: "multistep", milestones: after, gamma: 0.5 } as const,
    });
    await trainTiny(milestones(2), store);
    const later = await trainTiny(milestones(3), store);
    expect(later.lines[0]).toBe("Resumed after epoch 2");
    expect(later.steps).toHaveLength(2 * STEPS);
    expectSame(later, await straight(milestones(3)));
  });

  test("with links gone, it goes on from the newest one left", async () => {
    await trainTiny({ epochs: 4 }, store);
    store.forget((key) => JSON.parse(key).epoch > 2);
    const longer = await trainTiny({ epochs: 5 }, store);
    expect(longer.lines[0]).toBe("Resumed after epoch 2");
    expectSame(longer, await straight({ epochs: 5 }));
  });
});

describe("what is kept", () => {
  /** Link by link: the marks after a training of five epochs, whose best one is `best`. */
  async function keptBy(settings: Partial<TrainingSettings>): Promise<{ kept: number[]; best: number }> {
    const { history } = await trainTiny({ epochs: 5, ...settings }, store);
    expect(store.epochs()).toEqual([1, 2, 3, 4, 5]);
    return { kept: store.kept(), best: history.bestEpoch };
  }
  const sorted = (...epochs: number[]) => [...new Set(epochs)].sort((a, b) => a - b);

  test("is all where nothing is said", async () => {
    expect((await keptBy({})).kept).toEqual([1, 2, 3, 4, 5]);
  });

  test("is the last one, and the best one too where it is wanted", async () => {
    expect((await keptBy({ keep: "last" })).kept).toEqual([5]);
    store.forget(() => true);
    const { kept, best } = await keptBy({ keep: "last", select: "best" });
    expect(best).toBeLessThan(5);
    expect(kept).toEqual(sorted(best, 5));
  });

  test("is the best one alone, from which a longer training then goes on", async () => {
    const { kept, best } = await keptBy({ keep: "best" });
    expect(kept).toEqual([best]);
    store.forget((key) => JSON.parse(key).epoch !== best);
    const longer = await trainTiny({ epochs: 6, keep: "best" }, store);
    expect(longer.lines[0]).toBe(`Resumed after epoch ${best}`);
    expectSame(longer, await straight({ epochs: 6 }));
  });

  test("is every second one and the last", async () => {
    expect((await keptBy({ keep: { every: 2 } })).kept).toEqual([2, 4, 5]);
  });

  test("follows the training that goes on, and comes back where a shorter one ends", async () => {
    await trainTiny({ epochs: 3, keep: "last" }, store);
    expect(store.kept()).toEqual([3]);
    await trainTiny({ epochs: 5, keep: "last" }, store);
    expect(store.kept()).toEqual([5]);
    await trainTiny({ epochs: 2, keep: "last" }, store);
    expect(store.kept()).toEqual([2, 5]);
  });
});
