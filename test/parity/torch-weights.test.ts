/**
 * Weights go both ways: a file that PyTorch wrote gives PyTorch's logits here, and what is exported here gives our logits
 * there. The second needs a Python with torch, torchvision and safetensors: TFPIPE_TEST_PYTHON, or `python3`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { readModelFiles, writeModelFiles } from "../../src/ml/checkpoint/model-files.ts";
import { openSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import { exportModel } from "../../src/ml/export/export-model.ts";
import type { ArchitectureSpec } from "../../src/ml/models/architecture.ts";
import { describeModel } from "../../src/ml/models/describe-model.ts";
import { createNetwork } from "../../src/ml/nn/create-network.ts";
import { initialState } from "../../src/ml/nn/initial-state.ts";
import { asFloat32 } from "../../src/ml/nn/read-state.ts";
import { buildModel } from "../../stages/build-model.ts";
import { stageWorkbench } from "../stages/stage-workbench.ts";
import { fillImages } from "./fill.ts";
import { relativeError } from "./model-case.ts";
import floats from "./reference/torch-floats.json" with { type: "json" };
import reference from "./reference/torchvision-f16.json" with { type: "json" };

// The same float weights, double arithmetic on both sides: only the order of sums differs.
const TOLERANCE = 1e-9;

const stored = (name: string) => gunzipSync(readFileSync(join(import.meta.dirname, "reference", name)));
const temporary = mkdtempSync(join(tmpdir(), "torch-weights-"));
const workbench = stageWorkbench();
afterAll(() => {
  workbench.remove();
  rmSync(temporary, { recursive: true, force: true });
});

function logitsOf(path: (file: string) => string, input: readonly number[]): Float64Array {
  const { description, state } = readModelFiles(path);
  const engine = createReferenceEngine();
  const network = createNetwork(engine, description);
  network.loadStateDict(state);
  const [n, channels, height, width] = input as [number, number, number, number];
  const images = engine.upload(fillImages([n, channels, height, width]), [n, height, width, channels]);
  return engine.downloadFloat64(network.evaluate(images));
}

describe("a state dict that PyTorch wrote, in half floats and with its batch counters", () => {
  const weights = workbench.artifact("file", (folder) =>
    writeFileSync(join(folder, "model.safetensors"), stored("torchvision-f16.safetensors.gz")),
  );
  const { block, layers, num_classes: numClasses, width_per_group: widthPerGroup } = reference.options;
  const own = { block, layers, numClasses, widthPerGroup, imageSize: 32, seed: 1 };

  test("gives PyTorch's logits through build-model's weights", async () => {
    const { outputs } = await workbench.run(buildModel, own, { weights });
    const model = outputs.model!;
    expect(reference.names).toContain("bn1.num_batches_tracked");
    expect([...openSafetensors(model.path("model.safetensors")).entries.keys()].sort()).toEqual(
      reference.names.filter((name) => !name.endsWith("num_batches_tracked")).sort(),
    );
    const logits = logitsOf((file) => model.path(file), reference.input);
    expect(relativeError(logits, reference.eval_logits.flat())).toBeLessThan(TOLERANCE);
  });

  test("for another number of classes is refused, with the tensors and what to set", async () => {
    await expect(workbench.run(buildModel, { ...own, numClasses: 10 }, { weights })).rejects.toMatchObject({
      message: "the weights are for 7 classes (fc.weight is [7, 2048], fc.bias is [7]), and numClasses is 10",
      help: "set `numClasses: 7`, or `newHead: true` to leave these out and draw the last layer anew",
    });
  });

  test("for another number of classes with a new head says what it left out", async () => {
    const { lines } = await workbench.run(buildModel, { ...own, numClasses: 10, newHead: true }, { weights });
    expect(lines.slice(-2)).toEqual([
      "fc.weight [10, 2048] is drawn anew: the weights' own, [7, 2048], is left out",
      "fc.bias [10] is drawn anew: the weights' own, [7], is left out",
    ]);
  });
});

test("every float type that PyTorch writes is read as PyTorch widens or narrows it, to the bit", () => {
  const path = join(temporary, "floats.safetensors");
  writeFileSync(path, stored("torch-floats.safetensors.gz"));
  const file = openSafetensors(path);
  for (const [dtype, expected] of Object.entries(floats)) {
    const { buffer } = Float32Array.from(asFloat32(file.read(dtype)));
    expect([...new Uint32Array(buffer)].map((bits) => bits.toString(16).padStart(8, "0"))).toEqual(expected);
  }
});

const python = process.env.TFPIPE_TEST_PYTHON ?? "python3";
const problem = whyNoTorch();

describe.skipIf(problem !== undefined)(
  `an export loaded by PyTorch with the lines of its README gives our logits${problem === undefined ? "" : ` (not checked: ${problem})`}`,
  () => {
    const tiny = { layers: [1, 1, 1, 1], numClasses: 5 } as const;
    const cases: readonly [string, ArchitectureSpec][] = [
      ["basic blocks, grey images", { ...tiny, block: "basic", imageChannels: 1 }],
      ["grouped bottlenecks", { ...tiny, block: "bottleneck", groups: 4, widthPerGroup: 16 }],
      [
        "dilated bottlenecks",
        { ...tiny, block: "bottleneck", widthPerGroup: 16, replaceStrideWithDilation: [false, true, true] },
      ],
      ["group norms", { ...tiny, block: "basic", norm: "groupNorm" }],
      ["a published architecture", { architecture: "resnet18", numClasses: 5 }],
      [
        "one that torchvision has not, grey images",
        { architecture: "resnet9", width: 8, numClasses: 5, imageChannels: 1 },
      ],
    ];
    test.each(cases)("%s", (name, spec) => {
      const folder = join(temporary, name);
      mkdirSync(folder);
      const description = describeModel(spec);
      const state = initialState(description, 3);
      writeModelFiles(folder, { spec, state });
      const own = readModelFiles((file) => join(folder, file));
      const weights = () => readFileSync(join(folder, "model.safetensors"));
      const exported = join(folder, "export");
      mkdirSync(exported);
      const preprocessing = { imageChannels: description.imageChannels };
      for (const file of exportModel("safetensors", { ...own, preprocessing, weights, generatedBy: "test" }))
        writeFileSync(join(exported, file.name), file.content);
      const script = join(import.meta.dirname, "reference", "load_export.py");
      const { imageChannels } = description;
      const printed = execFileSync(python, [script, exported, "2", String(imageChannels), "32"], { encoding: "utf8" });
      const logits = logitsOf((file) => join(folder, file), [2, imageChannels, 32, 32]);
      expect(relativeError(logits, (JSON.parse(printed) as number[][]).flat())).toBeLessThan(TOLERANCE);
    });
  },
);

function whyNoTorch(): string | undefined {
  try {
    execFileSync(python, ["-c", "import torch, torchvision, safetensors"], { stdio: "ignore" });
    return undefined;
  } catch {
    return `${python} has no torch, torchvision and safetensors`;
  }
}
