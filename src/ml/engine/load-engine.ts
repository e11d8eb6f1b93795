/** Engines by name, each loaded only when it is asked for. */
import type { CreateEngine, EngineName } from "./engine.ts";

/** Throws where `name` is no engine's. */
export async function loadEngine(name: EngineName): Promise<CreateEngine> {
  switch (name) {
    case "native":
      return (await import("./native/native-engine.ts")).createEngine;
    case "wasm":
      return (await import("./wasm/wasm-engine.ts")).createEngine;
    case "webgpu":
      return (await import("./webgpu/webgpu-engine.ts")).createEngine;
    case "cpu":
      return (await import("./cpu/cpu-engine.ts")).createEngine;
    default:
      throw new Error(`there is no engine called "${name satisfies never}"`);
  }
}
