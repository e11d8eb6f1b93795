/**
 * The same training on the engines that are fast: same bits each time, also when it is stopped on the way, and the cpu
 * engine's numbers. TensorFlow reads its thread count once, so this process must not have loaded it before.
 */
import { describe, expect, test } from "vitest";
import { resolveEngine } from "../../../src/ml/engine/catalogue.ts";
import type { CreateEngine, Engine } from "../../../src/ml/engine/engine.ts";
import { createEngine as createNative, nativeEnvironment } from "../../../src/ml/engine/native/native-engine.ts";
import { createEngine as createWasm } from "../../../src/ml/engine/wasm/wasm-engine.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { bytesOf, folderStore, type TinyOptions, type TinyRun, trainTiny } from "./tiny-training.ts";

const THREADS = 2;
const decay = { weightDecay: 0.01, weightDecayOn: "all" } as const;
const sgd = { ...decay, learningRate: 0.1, momentum: 0.9 } as const;
const kinds: [string, Partial<TrainingSettings>][] = [
  [
    "Adam",
    {
      trainAccuracy: "eval",
      optimizer: {
        ...decay,
        type: "adam",
        learningRate: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
      },
    },
  ],
  [
    "SGD with Nesterov's momentum and decay, clipped",
    { optimizer: { ...sgd, type: "sgd", dampening: 0, nesterov: true }, clipGradient: { norm: 0.5 } },
  ],
  [
    "centered RMSprop with momentum and decay",
    {
      optimizer: { ...sgd, type: "rmsprop", learningRate: 1e-3, alpha: 0.9, epsilon: 1e-2, centered: true },
    },
  ],
  [
    "LARS and an average of weights and statistics",
    {
      optimizer: { ...sgd, type: "lars", trustCoefficient: 0.02, epsilon: 1e-8 },
      weightAverage: { decay: 0.9, start: 0, useBuffers: true },
    },
  ],
];

describe.each<[name: "native" | "wasm", create: CreateEngine]>([
  ["native", createNative],
  ["wasm", createWasm],
])("on the %s engine", (name, create) => {
  const found = resolveEngine(name);
  const missing = "problem" in found;
  if (name === "native" && !missing) Object.assign(process.env, nativeEnvironment(THREADS));
  const openEngine = (): Promise<Engine> =>
    create({ threads: THREADS, precision: "float32", folder: "folder" in found ? found.folder : "" });

  async function straight(settings: Partial<TrainingSettings>, options: TinyOptions): Promise<TinyRun> {
    const store = folderStore();
    try {
      return await trainTiny(settings, store, options);
    } finally {
      store.remove();
    }
  }

  describe.each(kinds)("with %s", (_, settings) => {
    test.skipIf(missing)("a training that is stopped within an epoch ends in the same bits", async () => {
      const store = folderStore();
      try {
        await expect(trainTiny(settings, store, { openEngine, stopAfterSteps: 7 })).rejects.toThrow(
          "stopped by the test",
        );
        const left: number[] = [];
        const resumed = await trainTiny(settings, store, { openEngine, onEnd: (live) => left.push(live) });
        expect(resumed.steps).toHaveLength(8);
        expect(left).toEqual([0]);
        const whole = await straight(settings, { openEngine });
        expect(bytesOf(resumed)).toBe(bytesOf(whole));
        expect(resumed.history).toEqual(whole.history);
      } finally {
        store.remove();
      }
    });

    test.skipIf(missing)("losses are the cpu engine's to five digits", async () => {
      const [here, reference] = [await straight(settings, { openEngine }), await straight(settings, {})];
      here.history.loss.forEach((loss, i) => {
        expect(Math.abs(loss - reference.history.loss[i]!)).toBeLessThan(2e-5);
      });
      here.history.epochs.forEach(({ validLoss }, i) => {
        expect(Math.abs(validLoss! - reference.history.epochs[i]!.validLoss!)).toBeLessThan(1e-4);
      });
    });
  });
});
