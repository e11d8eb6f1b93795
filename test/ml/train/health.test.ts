/** Faults on the way, injected into the engine, and what a long training leaves behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveEngine } from "../../../src/ml/engine/catalogue.ts";
import { createEngine as createCpu } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { CreateEngine, Engine } from "../../../src/ml/engine/engine.ts";
import { createEngine as createWasm } from "../../../src/ml/engine/wasm/wasm-engine.ts";
import { trainingMemory } from "../../../src/ml/train/training-memory.ts";
import { type FolderStore, folderStore, SETTINGS, TINY, trainTiny } from "./tiny-training.ts";

const OPTIONS = { threads: 1, precision: "float32", folder: "" } as const;

let store: FolderStore;
beforeEach(() => {
  store = folderStore();
});
afterEach(() => store.remove());

/** A cpu engine of which one op is another from its `call`-th call on. */
function faulty<Op extends "batchNormGradient" | "conv2d" | "softmaxCrossEntropy">(
  op: Op,
  call: number,
  fault: (engine: Engine, result: () => ReturnType<Engine[Op]>) => ReturnType<Engine[Op]>,
): () => Promise<Engine> {
  return async () => {
    const engine: Engine = await createCpu(OPTIONS);
    let calls = 0;
    const honest = engine[op] as (...given: unknown[]) => ReturnType<Engine[Op]>;
    const own = {
      [op]: (...given: unknown[]) => (++calls < call ? honest(...given) : fault(engine, () => honest(...given))),
    };
    return { ...engine, ...own };
  };
}

describe("a gradient that is not finite while the loss is", () => {
  const openEngine = (call: number) =>
    faulty("batchNormGradient", call, (engine, honest) => {
      const { dx, ...others } = honest();
      engine.dispose(dx);
      return {
        ...others,
        dx: engine.upload(new Float32Array(dx.shape.reduce((a, b) => a * b)).fill(Infinity), dx.shape),
      };
    });

  test("is named with step, rate, the first layer it reached, and a hint, in the step after", async () => {
    await expect(trainTiny({}, store, { openEngine: openEngine(3) })).rejects.toMatchObject({
      name: "TrainingDiverged",
      message: expect.stringMatching(
        /^the loss is NaN at epoch 1, step 4 of 5, learning rate 0\.1: the first layer with a non-finite value is conv1 \(conv1\.weight\)$/,
      ),
      help: expect.stringContaining("lower optimizer.learningRate"),
    });
    expect(store.keys()).toEqual([]);
  });

  test("in an epoch's last step is found before anything is saved, though nothing is measured", async () => {
    const training = trainTiny({ trainAccuracy: "none" }, store, { openEngine: openEngine(10), valid: false });
    await expect(training).rejects.toThrow(
      "the model is no longer finite after the last step of epoch 2, learning rate 0.1: the first layer with a non-finite value is conv1 (conv1.weight)",
    );
    expect(store.keys()).toHaveLength(1);
  });

  test("before a stop is found instead of being saved for the next run", async () => {
    const training = trainTiny({}, store, { openEngine: openEngine(2), stopAfterSteps: 2 });
    await expect(training).rejects.toThrow("the model is no longer finite after step 2 of epoch 1, learning rate 0.1");
    expect(store.keys()).toEqual([]);
  });

  test("names the layer from which it went to all before", async () => {
    const fromTheLoss = faulty("softmaxCrossEntropy", 2, (engine, honest) => {
      const { loss, dlogits } = honest();
      engine.dispose(dlogits);
      return { loss, dlogits: engine.upload(new Float32Array(15).fill(Number.NaN), dlogits.shape) };
    });
    await expect(trainTiny({}, store, { openEngine: fromTheLoss })).rejects.toThrow(
      "the first layer with a non-finite value is conv1 (conv1.weight), by a gradient that was so from fc (fc.bias) on",
    );
  });
});

describe("a training that runs out of memory", () => {
  const needs = trainingMemory(TINY, [6, 6], 2);

  test("is refused before its first step where it surely cannot fit, and left alone where nothing is left to train", async () => {
    const memory = { needs, limitBytes: 3000 };
    await expect(trainTiny({}, store, { memory })).rejects.toMatchObject({
      name: "TrainingOutOfMemory",
      message: expect.stringMatching(/^a batch of 5 images needs at least 0\.00 GB of memory/),
    });
    await trainTiny({}, store);
    expect((await trainTiny({}, store, { memory })).steps).toEqual([]);
  });

  test("may be tight, and says so", async () => {
    const { lines } = await trainTiny({ epochs: 1 }, store, { memory: { needs, limitBytes: 1e8 } });
    expect(lines[0]).toMatch(/^This training may need 0\.40 GB of memory, and can have 0\.10 GB: /);
  });

  test("in a step says which, and the batch size that would fit, and frees what it held", async () => {
    const openEngine = faulty("conv2d", 7, () => {
      throw new Error("OOM when allocating tensor with shape[5,6,6,4] and type float on CPU:0\nmore");
    });
    const training = trainTiny({ trainAccuracy: "none" }, store, { openEngine, valid: false });
    await expect(training).rejects.toMatchObject({
      name: "TrainingOutOfMemory",
      message:
        "out of memory at epoch 2, step 2 of 5, with 5 images in a batch: OOM when allocating tensor with shape[5,6,6,4] and type float on CPU:0",
      help: "`batchSize: 2` should fit, or `batchSize: 1` with `accumulateSteps: 5` for as many images in an optimiser step",
    });
  });
});

describe.each<[name: "cpu" | "wasm", create: CreateEngine]>([
  ["cpu", createCpu],
  ["wasm", createWasm],
])("four hundred steps on the %s engine", (name, create) => {
  const found = resolveEngine(name);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;

  test("leave no tensor behind and hold no more memory than one hundred did", async () => {
    let engine: Engine | undefined;
    const openEngine = async () => {
      engine = await create({ ...OPTIONS, folder: "folder" in found ? found.folder : "" });
      return engine;
    };
    const [tensors, heap]: [number[], number[]] = [[], []];
    let steps = 0;
    const onStep = () => {
      if (++steps % 100 !== 0) return;
      tensors.push(engine!.liveTensors());
      // The second one waits until the first one has given back its buffers.
      collect();
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      heap.push(heapUsed + arrayBuffers);
    };
    const settings = {
      ...SETTINGS,
      epochs: 4,
      mixup: { alpha: 0.4 },
      labelSmoothing: 0.1,
      trainAccuracy: "none",
    } as const;
    await trainTiny(settings, store, {
      openEngine,
      onStep,
      images: 500,
      onEnd: (live) => tensors.push(live),
      valid: false,
    });
    expect(steps).toBe(400);
    expect(new Set(tensors)).toEqual(new Set([0]));
    // The history grows by a number a step, and the test keeps each step's figures: a few hundred bytes a step.
    expect(heap.at(-1)! - heap[0]!).toBeLessThan(1e6);
  });
});
