/**
 * What is particular to the native engine; that its ops are right is checked in test/contract. TensorFlow reads its thread
 * count once, so this file's process sets it before anything is loaded.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveEngine } from "../../../../src/ml/engine/catalogue.ts";
import type { Engine } from "../../../../src/ml/engine/engine.ts";
import { createEngine, nativeEnvironment } from "../../../../src/ml/engine/native/native-engine.ts";
import { selfTest } from "../../../../src/ml/engine/self-test.ts";

const THREADS = 1;

test("a folder without an engine is refused with the command that makes one", async () => {
  await expect(createEngine({ threads: 1, precision: "float32", folder: tmpdir() })).rejects.toThrow(
    /no native engine in .*npx pipe engine install/,
  );
});

function addonFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tfpipe-native-"));
  const library = join(folder, "node_modules/@tensorflow/tfjs-node/lib/napi-v8");
  mkdirSync(library, { recursive: true });
  writeFileSync(join(library, "tfjs_binding.node"), "not an addon");
  return folder;
}

test("a process that was not started for its thread count is refused before TensorFlow is loaded", async () => {
  const folder = addonFolder();
  await expect(createEngine({ threads: 77, precision: "float32", folder })).rejects.toThrow(
    /needs TF_NUM_INTRAOP_THREADS=77 in the environment its process starts with/,
  );
  rmSync(folder, { recursive: true });
});

test("so is one that was not told what makes the bits", async () => {
  const folder = addonFolder();
  delete process.env.TF_DETERMINISTIC_OPS;
  const { TF_DETERMINISTIC_OPS: _, ...others } = nativeEnvironment(77);
  Object.assign(process.env, others);
  await expect(createEngine({ threads: 77, precision: "float32", folder })).rejects.toThrow(
    /needs TF_DETERMINISTIC_OPS=1 in the environment its process starts with, and it is not set/,
  );
  rmSync(folder, { recursive: true });
});

test("Winograd in bfloat16 is refused, not silently computed otherwise", async () => {
  await expect(
    createEngine({ threads: 1, precision: "bfloat16", convolution: "winograd", folder: "" }),
  ).rejects.toThrow(/cannot do Winograd convolutions in bfloat16/);
});

const found = resolveEngine("native");
const suite = "folder" in found ? describe : describe.skip;
const name = "folder" in found ? "the installed native engine" : `the native engine (not checked: ${found.problem})`;

suite(name, () => {
  let engine: Engine;
  beforeAll(async () => {
    Object.assign(process.env, nativeEnvironment(THREADS));
    engine = await createEngine({
      threads: THREADS,
      precision: "float32",
      folder: "folder" in found ? found.folder : "",
    });
  });
  afterAll(() => engine.close());

  test("passes its self-test in well under a second, and keeps nothing", async () => {
    expect(await selfTest(engine)).toEqual({ ok: true, ms: expect.any(Number) });
    expect(engine.liveTensors()).toBe(0);
  });

  test("says which TensorFlow computes, as the catalogue does", () => {
    expect(engine.version).toBe("version" in found ? found.version : "");
  });

  test("uploads are copies: changing the array afterwards changes nothing", async () => {
    const data = Float32Array.of(1, 2, 3, 4);
    const tensor = engine.upload(data, [4]);
    data.fill(9);
    expect([...(await engine.download(tensor))]).toEqual([1, 2, 3, 4]);
    engine.dispose(tensor);
  });

  test("a tensor that was disposed cannot be used or disposed again", () => {
    const tensor = engine.upload(Float32Array.of(1), [1]);
    engine.dispose(tensor);
    expect(() => engine.relu(tensor)).toThrow(/\[1\] was used after it was disposed/);
    expect(() => engine.dispose(tensor)).toThrow(/disposed/);
  });

  test("the same training gives the same bits", async () => {
    const train = async (): Promise<number[]> => {
      const filter = engine.variable(
        Float32Array.from({ length: 9 * 8 * 8 }, (_, i) => Math.sin(i)),
        [3, 3, 8, 8],
      );
      const slot = engine.variable(new Float32Array(9 * 8 * 8), [3, 3, 8, 8]);
      const x = engine.upload(
        Float32Array.from({ length: 4 * 12 * 12 * 8 }, (_, i) => Math.cos(i)),
        [4, 12, 12, 8],
      );
      const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      for (let step = 0; step < 3; step++) {
        const y = engine.conv2d(x, filter, geometry);
        const { dx, dfilter } = engine.conv2dGradient(y, x, filter, geometry, true);
        engine.sgdUpdate(filter, dfilter, slot, { learningRate: 1e-3, momentum: 0.9, weightDecay: 0, nesterov: false });
        engine.dispose(y, dx, dfilter);
      }
      const weights = [...(await engine.download(filter))];
      engine.dispose(x);
      engine.disposeVariable(filter);
      engine.disposeVariable(slot);
      return weights;
    };
    expect(await train()).toEqual(await train());
  });

  test.each(["labels", "probabilities"])(
    "the loss of %s that a GPU computes is that of TensorFlow's own op",
    async (kind) => {
      const { loadBinding } = await import("../../../../src/ml/engine/native/binding.ts");
      const { composedCrossEntropy } = await import("../../../../src/ml/engine/native/composed-cross-entropy.ts");
      const { TensorflowOps } = await import("../../../../src/ml/engine/native/tensorflow-ops.ts");
      const binding = loadBinding("folder" in found ? found.folder : "", THREADS);
      const before = binding.getNumOfTensors();
      const ops = new TensorflowOps(binding);
      const [count, classes] = [5, 7];
      const values = Float32Array.from({ length: count * classes }, (_, i) => 30 * Math.sin(3 * i));
      const labels = Int32Array.from({ length: count }, (_, i) => (3 * i) % classes);
      const areLabels = kind === "labels";
      const probabilities = Float32Array.from({ length: count * classes }, (_, i) => (i % classes === 2 ? 0.4 : 0.1));
      const logits = binding.createTensor([count, classes], 1, values.slice());
      const targets = areLabels
        ? binding.createTensor([count], 3, labels.slice())
        : binding.createTensor([count, classes], 1, probabilities.slice());
      const composed = composedCrossEntropy(ops, { logits, targets, classes, areLabels });
      const own = areLabels
        ? ops.many("SparseSoftmaxCrossEntropyWithLogits", 2, [{ name: "Tlabels", type: 4, value: 3 }], logits, targets)
        : ops.many("SoftmaxCrossEntropyWithLogits", 2, [], logits, targets);
      for (const [at, id] of composed.entries()) {
        const [here, there] = [id, own[at]!].map((tensor) => [...binding.tensorDataSync(tensor)]);
        here!.forEach((value, i) => {
          expect(Math.abs(value - there![i]!)).toBeLessThan(1e-5);
        });
      }
      ops.free(logits, targets, ...composed, ...own);
      ops.close();
      expect(binding.getNumOfTensors()).toBe(before);
    },
  );

  test("schedules of thousands of learning rates do not pile up on the engine", async () => {
    const { loadBinding } = await import("../../../../src/ml/engine/native/binding.ts");
    const held = () => loadBinding("folder" in found ? found.folder : "", THREADS).getNumOfTensors();
    const weight = engine.variable(Float32Array.of(1), [1]);
    const before = held();
    const gradient = engine.upload(Float32Array.of(0), [1]);
    for (let step = 1; step < 2000; step++) {
      engine.sgdUpdate(weight, gradient, undefined, {
        learningRate: 1 / step,
        momentum: 0,
        weightDecay: 0,
        nesterov: false,
      });
    }
    expect(held() - before).toBeLessThan(300);
    engine.dispose(gradient);
    engine.disposeVariable(weight);
  });
});
