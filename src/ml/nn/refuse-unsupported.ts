/** Asks an engine for every layer before anything is built, so that what it cannot do is never met in mid-training. */
import { type Engine, type EngineName, UnsupportedOnEngine } from "../engine/engine.ts";
import type { Layer, PlainLayer } from "./layer.ts";
import { stateEntries } from "./state-entry.ts";
import { engineShape } from "./state-layout.ts";

/** Engines that can have every layer there is. */
const ABLE: readonly EngineName[] = ["native", "wasm", "cpu"];

/** Throws `UnsupportedOnEngine`, which names the layer and the engines that can. */
export function refuseUnsupported(engine: Engine, layers: readonly Layer[]): void {
  if (engine.unsupported === undefined) return;
  for (const layer of leaves(layers)) {
    const problem = engine.unsupported({
      weights: stateEntries([layer]).map(engineShape),
      ...(layer.type === "conv2d" ? { convolution: layer.geometry } : {}),
    });
    if (problem === undefined) continue;
    const able = ABLE.filter((name) => name !== engine.name);
    throw new UnsupportedOnEngine(engine.name, `the layer ${layer.name}: ${problem}`, able);
  }
}

function leaves(layers: readonly Layer[]): readonly PlainLayer[] {
  return layers.flatMap((layer) =>
    layer.type === "residual" ? [...leaves(layer.body), ...leaves(layer.shortcut)] : [layer],
  );
}
