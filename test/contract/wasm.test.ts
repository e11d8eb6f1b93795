import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { backend } from "@tensorflow/tfjs-core";
import { createEngine } from "../../src/ml/engine/wasm/wasm-engine.ts";
import { describeEngine } from "./engine-contract.ts";

const folder = dirname(fileURLToPath(import.meta.resolve("@tensorflow/tfjs-backend-wasm")));

describeEngine("wasm", () => createEngine({ threads: 1, precision: "float32", folder }), {
  heldUnderneath: () => (backend() as unknown as { numDataIds(): number }).numDataIds(),
});
