import { expect, test } from "vitest";
import type { Loader } from "../../../src/ml/data/loader.ts";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import { initialState } from "../../../src/ml/nn/initial-state.ts";
import { evaluateNetwork } from "../../../src/ml/train/evaluate-network.ts";
import { TINY, tinyLoader } from "./tiny-training.ts";

/** The same images, each with its columns in reverse. */
function mirrored(loader: Loader): Loader {
  return {
    ...loader,
    async *epoch(epoch, firstBatch) {
      for await (const batch of loader.epoch(epoch, firstBatch)) {
        const [count, height, width, channels] = batch.shape;
        const images = batch.images.map((_, i) => {
          const [row, column] = [Math.floor(i / (width * channels)), Math.floor(i / channels) % width];
          return batch.images[(row * width + width - 1 - column) * channels + (i % channels)]!;
        });
        yield { ...batch, images, shape: [count, height, width, channels] };
      }
    },
  };
}

test("averaged flips are the mean of the logits of each image and of its mirror image, and nothing is left behind", async () => {
  const engine = await createEngine({ threads: 1, precision: "float32", folder: "" });
  const network = createNetwork(engine, TINY);
  network.loadStateDict(initialState(TINY, 3));
  const before = engine.liveTensors();
  const logitsOf = async (loader: Loader, averageFlips: boolean) => {
    const logits: number[] = [];
    const source = { loader, mean: [0.5, 0.5, 0.5], std: [0.2, 0.25, 0.3] };
    const onBatch = (batch: Float32Array) => void logits.push(...batch);
    const { loss } = await evaluateNetwork({ engine, network, source, averageFlips, onBatch });
    return { logits, loss };
  };
  const loader = tinyLoader("valid", 12, { shuffle: false });
  const [plain, flipped] = [await logitsOf(loader, false), await logitsOf(mirrored(loader), false)];
  const both = await logitsOf(loader, true);
  both.logits.forEach((value, i) => {
    expect(value).toBeCloseTo((plain.logits[i]! + flipped.logits[i]!) / 2, 6);
  });
  expect(plain.logits[0]).not.toBeCloseTo(flipped.logits[0]!, 4);
  expect(both.loss).not.toBe(plain.loss);
  expect(engine.liveTensors()).toBe(before);
  network.close();
  await engine.close();
});
