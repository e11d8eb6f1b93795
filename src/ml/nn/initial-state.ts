/**
 * The weights a model starts with, drawn without an engine: the same seed gives the same bits on every machine.
 *
 * Each entry has its own stream, named after it, so adding or removing a layer does not change what the others draw.
 */
import type { Rng } from "../../rng.ts";
import { createRng } from "../../rng.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import type { ModelDescription } from "./model-description.ts";
import { elementCount, type Initial, stateEntries } from "./state-entry.ts";

/** The initial state dict of `description` in PyTorch's layouts, float32, in torchvision's order. Untruncated normals. */
export function initialState(description: ModelDescription, seed: number): Record<string, StoredTensor> {
  const state: Record<string, StoredTensor> = {};
  for (const { name, shape, initial } of stateEntries(description.layers)) {
    const data = new Float32Array(elementCount(shape));
    fill(data, initial, () => createRng(seed, "initialState", name));
    state[name] = { dtype: "F32", shape, data };
  }
  return state;
}

function fill(data: Float32Array, initial: Initial, stream: () => Rng): void {
  switch (initial.type) {
    case "constant":
      data.fill(initial.value);
      return;
    case "uniform": {
      const { uniform } = stream();
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform() - 1) * initial.bound;
      return;
    }
    case "normal": {
      const { normal } = stream();
      for (let i = 0; i < data.length; i++) data[i] = normal() * initial.std;
      return;
    }
  }
}
