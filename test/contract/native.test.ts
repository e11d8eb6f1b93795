/**
 * The native engine, where it is installed. TensorFlow reads its thread count from the environment once, when it is
 * loaded: this file's process must not have loaded it before.
 */
import { describe, test } from "vitest";
import { resolveEngine } from "../../src/ml/engine/catalogue.ts";
import type { EngineOptions } from "../../src/ml/engine/engine.ts";
import { loadBinding } from "../../src/ml/engine/native/binding.ts";
import { createEngine, nativeEnvironment } from "../../src/ml/engine/native/native-engine.ts";
import { describeEngine } from "./engine-contract.ts";

const THREADS = 2;
// A folder to test instead of the installed engine's, such as one just built.
const override = process.env.TFPIPE_TEST_NATIVE_FOLDER;
const found = override === undefined ? resolveEngine("native") : { folder: override };

if ("folder" in found) {
  Object.assign(process.env, nativeEnvironment(THREADS));
  const { folder } = found;
  const heldUnderneath = () => loadBinding(folder, THREADS).getNumOfTensors();
  const open = (settings: Pick<EngineOptions, "precision" | "convolution">) => () =>
    createEngine({ threads: THREADS, folder, ...settings });
  describeEngine("native", open({ precision: "float32", convolution: "direct" }), { heldUnderneath });
  describeEngine("native with Winograd convolutions", open({ precision: "float32", convolution: "winograd" }), {
    heldUnderneath,
  });
  describeEngine("native in bfloat16", open({ precision: "bfloat16" }), { heldUnderneath });
} else {
  describe.skip(`the native engine keeps the contract: not checked, ${found.problem} (${found.help})`, () => {
    test("every op", () => {});
  });
}
