import { describe, expect, test } from "vitest";
import type { StoredTensor } from "../../../src/ml/checkpoint/safetensors.ts";
import type { ArchitectureSpec } from "../../../src/ml/models/architecture.ts";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { PretrainedStateError, pretrainedState } from "../../../src/ml/models/pretrained-state.ts";
import { initialState } from "../../../src/ml/nn/initial-state.ts";
import { elementCount, stateEntries } from "../../../src/ml/nn/state-entry.ts";

const own: ArchitectureSpec = { block: "basic", layers: [1, 1, 1, 1], numClasses: 10 };

/** A state dict of the right shapes, every value a half. */
function halves(spec: ArchitectureSpec): Record<string, StoredTensor> {
  return Object.fromEntries(
    stateEntries(describeModel(spec).layers).map(({ name, shape }) => [
      name,
      { dtype: "F16", shape, data: new Uint16Array(elementCount(shape)).fill(0x3800) },
    ]),
  );
}

const load = (state: Record<string, StoredTensor>, spec = own, newHead = false) =>
  pretrainedState({ description: describeModel(spec), state, newHead, seed: 3 });

function refusal(act: () => unknown): PretrainedStateError {
  try {
    act();
  } catch (error) {
    if (error instanceof PretrainedStateError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("weights come as float32, in torchvision's order, without the batch counters", () => {
  const { "fc.bias": last, ...others } = halves(own);
  const shuffled = {
    "fc.bias": last!,
    ...others,
    "bn1.num_batches_tracked": { dtype: "I64", shape: [], data: BigInt64Array.of(1n) } as const,
  };
  const { state, drawn } = load(shuffled);
  expect(drawn).toEqual([]);
  expect(Object.keys(state)).toEqual(stateEntries(describeModel(own).layers).map(({ name }) => name));
  expect(state["fc.bias"]).toEqual({ dtype: "F32", shape: [10], data: new Float32Array(10).fill(0.5) });
});

test("a new head needs none in the weights", () => {
  const { "fc.weight": _, "fc.bias": __, ...body } = halves(own);
  const { state, drawn } = load(body, own, true);
  expect(state["fc.weight"]).toEqual(initialState(describeModel(own), 3)["fc.weight"]);
  expect(drawn.map(({ found }) => found)).toEqual([undefined, undefined]);
});

test("a new head is drawn from the seed, and only it, and what was left out is named", () => {
  const { state, drawn } = load(halves({ ...own, numClasses: 1000 }), own, true);
  expect(drawn).toEqual([
    { name: "fc.weight", shape: [10, 512], found: [1000, 512] },
    { name: "fc.bias", shape: [10], found: [1000] },
  ]);
  expect(state["fc.weight"]).toEqual(initialState(describeModel(own), 3)["fc.weight"]);
  expect(state["conv1.weight"]!.data[0]).toBe(0.5);
});

describe("weights that do not fit are refused in the user's terms", () => {
  test("other classes", () => {
    const { message, help } = refusal(() => load(halves({ ...own, numClasses: 1000 })));
    expect(message).toBe(
      "the weights are for 1000 classes (fc.weight is [1000, 512], fc.bias is [1000]), and numClasses is 10",
    );
    expect(help).toBe("set `numClasses: 1000`, or `newHead: true` to leave these out and draw the last layer anew");
  });

  test("other channels", () => {
    const { message, help } = refusal(() => load(halves({ ...own, imageChannels: 1 })));
    expect(message).toBe("the weights are for images of 1 channels, and imageChannels is 3");
    expect(help).toBe("set `imageChannels: 1`");
  });

  test("another published architecture, whose name is found", () => {
    const { message, help } = refusal(() => load(halves({ architecture: "resnet18", numClasses: 1000 })));
    expect(message).toMatch(
      /^the weights do not fit resnet-basic-1-1-1-1: unexpected layer1\.1\.conv1\.weight, .* and \d+ more/,
    );
    expect(help).toBe("they are those of a resnet18: set `architecture: resnet18`");
  });

  test("no model that is known", () => {
    const { message, help } = refusal(() =>
      load({ "embedding.weight": { dtype: "F32", shape: [1], data: Float32Array.of(1) } }),
    );
    expect(message).toContain("unexpected embedding.weight");
    expect(help).toContain("torchvision's");
  });
});
