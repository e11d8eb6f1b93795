import { describe, expect, test } from "vitest";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { asOutOfMemory, refuseWhatCannotFit, tightMemoryLine } from "../../../src/ml/train/out-of-memory.ts";
import { largestBatch, parameterCopies, trainingMemory } from "../../../src/ml/train/training-memory.ts";
import { SETTINGS } from "./tiny-training.ts";

const resnet34 = describeModel({ architecture: "resnet34", numClasses: 10 });
const copies = parameterCopies(SETTINGS);
const needs = trainingMemory(resnet34, [110, 110], copies);

describe("what a training needs", () => {
  test("is within a tenth of what was measured for ResNet-34", () => {
    // Peaks of resident memory of the native engine.
    expect(needs.expected(256) / 2.94e9).toBeGreaterThan(0.95);
    expect(needs.expected(256) / 2.94e9).toBeLessThan(1.1);
    const small = trainingMemory(resnet34, [36, 36], copies).expected(32);
    expect(small / 0.72e9).toBeGreaterThan(0.9);
    expect(small / 0.72e9).toBeLessThan(1.1);
  });

  test("is what the layers hold, each once", () => {
    const held = 4 * (copies * 21_289_802 + 7_690_000 / 4);
    expect(needs.atLeast(1) / held).toBeGreaterThan(0.9);
    expect(needs.atLeast(1)).toBeLessThan(needs.expected(1));
    expect(needs.atLeast(64) - needs.atLeast(32)).toBe(32 * (needs.atLeast(2) - needs.atLeast(1)));
  });

  test("is half for each image in bfloat16, and as much for each parameter", () => {
    const half = trainingMemory(resnet34, [110, 110], copies, 2);
    expect(half.atLeast(0)).toBe(needs.atLeast(0));
    expect(2 * (half.atLeast(64) - half.atLeast(0))).toBe(needs.atLeast(64) - needs.atLeast(0));
  });

  test("counts what is kept for each parameter", () => {
    expect(copies).toBe(2);
    expect(parameterCopies({ ...SETTINGS, optimizer: { ...SETTINGS.optimizer, momentum: 0 } as never })).toBe(1);
    expect(parameterCopies({ ...SETTINGS, clipGradient: { norm: 1 }, accumulateSteps: 2 })).toBe(3);
  });
});

describe("a training that cannot fit", () => {
  test("is refused with what it needs, what there is and the batch size that would fit", () => {
    const plan = { needs, limitBytes: 1.5e9 };
    expect(() => refuseWhatCannotFit(plan, 256)).toThrow(
      expect.objectContaining({
        name: "TrainingOutOfMemory",
        message: "a batch of 256 images needs at least 2.1 GB of memory, and this process can have 1.5 GB",
        help: "`batchSize: 80` should fit, or `batchSize: 64` with `accumulateSteps: 4` for as many images in an optimiser step",
      }),
    );
    const most = largestBatch(plan);
    expect(needs.expected(most)).toBeLessThanOrEqual(1.5e9);
    expect(needs.expected(most + 1)).toBeGreaterThan(1.5e9);
    expect(() => refuseWhatCannotFit(plan, most)).not.toThrow();
  });

  test("even with one image says so", () => {
    expect(() => refuseWhatCannotFit({ needs, limitBytes: 1e8 }, 256)).toThrow(
      expect.objectContaining({ help: expect.stringContaining("not even one image fits") }),
    );
  });

  test("perhaps is a line, and a training with room is none", () => {
    expect(tightMemoryLine({ needs, limitBytes: 2.9e9 }, 256)).toMatch(
      /^This training may need 3\.2 GB of memory, and can have 2\.9 GB: `batchSize: 224` should fit, or `batchSize: 128` with/,
    );
    expect(tightMemoryLine({ needs, limitBytes: 4e9 }, 256)).toBeUndefined();
  });
});

describe("an engine's refusal of memory", () => {
  const at = { epoch: 2, step: 3, steps: 9, batchSize: 256 };

  test.each([
    new Error("OOM when allocating tensor with shape[256,64,55,55] and type float on /device:CPU:0 by allocator cpu"),
    new Error("Resource exhausted: failed to allocate memory"),
    new RangeError("Array buffer allocation failed"),
    new RangeError("Invalid typed array length: 99999999999"),
    new Error("Aborted(Cannot enlarge memory arrays)"),
    new Error("std::bad_alloc"),
  ])("%s becomes a message with the batch size that would fit", (error) => {
    expect(asOutOfMemory(error, at, { needs, limitBytes: 2e9 })).toMatchObject({
      name: "TrainingOutOfMemory",
      message: `out of memory at epoch 2, step 3 of 9, with 256 images in a batch: ${error.message}`,
      help: expect.stringMatching(/^`batchSize: 128` should fit, with `accumulateSteps: \d+`/),
      cause: error,
    });
  });

  test("without a plan, or against one, is answered with half of the batch", () => {
    const error = new Error("out of memory");
    const half = "`batchSize: 128` should fit, with `accumulateSteps: 2` for as many images in an optimiser step";
    expect(asOutOfMemory(error, at, undefined)).toMatchObject({ help: half });
    expect(asOutOfMemory(error, { ...at, batchSize: 1 }, undefined)).toMatchObject({
      help: "not even one image fits: take a smaller model or smaller images, or a machine with more memory",
    });
  });

  test("is no other error", () => {
    const error = new Error("the shapes differ");
    expect(asOutOfMemory(error, at, undefined)).toBe(error);
    expect(asOutOfMemory("a string", at, undefined)).toBe("a string");
  });
});
