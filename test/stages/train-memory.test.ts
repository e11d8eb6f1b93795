/** What the train stage says where the machine has too little memory: its figures are the test's. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Artifact } from "../../src/contract.ts";
import { buildModel } from "../../stages/build-model.ts";
import { train } from "../../stages/train.ts";
import { learnableImages, normalizedImages } from "./learnable-images.ts";
import { type StageWorkbench, stageWorkbench } from "./stage-workbench.ts";

vi.mock("../../src/platform/memory-limit.ts", () => ({ memoryLimit: () => 40e6 }));

let workbench: StageWorkbench;
let model: Artifact;
let images: Artifact;
beforeAll(async () => {
  workbench = stageWorkbench();
  const resnet = { block: "basic", layers: [1, 1, 1, 1], numClasses: 3, imageSize: 6, seed: 2 };
  model = (await workbench.run(buildModel, resnet, {})).outputs.model!;
  images = normalizedImages(workbench, learnableImages(workbench, "train", { count: 18 }), 6);
});
afterAll(() => workbench.remove());

test("a training that surely cannot fit fails before its first step, without a stack", async () => {
  const optimizer = { type: "adam" };
  const settings = { epochs: 1, batchSize: 8, optimizer, seed: 1 };
  await expect(workbench.run(train, settings, { model, train: images })).rejects.toMatchObject({
    name: "StageFailure",
    message: "a batch of 8 images needs at least 0.06 GB of memory, and this process can have 0.04 GB",
    help: "not even one image fits: take a smaller model or smaller images, or a machine with more memory",
  });
});
