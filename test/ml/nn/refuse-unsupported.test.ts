import { expect, test } from "vitest";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import { type Engine, type LayerNeed, UnsupportedOnEngine } from "../../../src/ml/engine/engine.ts";
import { createNetwork } from "../../../src/ml/nn/create-network.ts";
import type { Layer } from "../../../src/ml/nn/layer.ts";
import type { ModelDescription } from "../../../src/ml/nn/model-description.ts";

const conv = (name: string, outChannels: number, groups: number): Layer => ({
  type: "conv2d",
  name,
  inChannels: 4,
  outChannels,
  kernelSize: 3,
  geometry: { stride: 1, padding: 1, dilation: 1, groups },
  bias: false,
});
const relu: Layer = { type: "relu", name: "relu" };
const description: ModelDescription = {
  architecture: "two convolutions",
  numClasses: 4,
  imageChannels: 4,
  layers: [
    conv("stem", 4, 1),
    { type: "residual", name: "block", body: [conv("block.conv", 4, 2), relu], shortcut: [] },
  ],
};

async function engineThat(unsupported: (need: LayerNeed) => string | undefined): Promise<Engine> {
  const engine = await createEngine({ threads: 1, precision: "float32", folder: "" });
  return { ...engine, name: "webgpu", unsupported };
}

test("what an engine cannot do is told when the network is made, with the layer and the engines that can", async () => {
  const asked: LayerNeed[] = [];
  const engine = await engineThat((need) => {
    asked.push(need);
    return (need.convolution?.groups ?? 1) > 1 ? "groups" : undefined;
  });
  expect(() => createNetwork(engine, description)).toThrow(
    new UnsupportedOnEngine("webgpu", "the layer block.conv: groups", ["native", "wasm", "cpu"]),
  );
  expect(asked.map(({ weights }) => weights)).toEqual([[[3, 3, 4, 4]], [[3, 3, 2, 4]]]);
  expect(engine.liveTensors()).toBe(0);
});

test("an engine that can do all of it gets the network", async () => {
  const engine = await engineThat(() => undefined);
  createNetwork(engine, description).close();
});
