/**
 * The native engine, where it is installed. TensorFlow reads its thread count from the environment once, when it is
 * loaded: this file's process must not have loaded it before.
 */
import { describe, test } from "vitest";
import { resolveEngine } from "../../src/ml/engine/catalogue.ts";
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
  describeEngine("native", () => createEngine({ threads: THREADS, precision: "float32", folder }), {
    heldUnderneath: () => loadBinding(folder, THREADS).getNumOfTensors(),
  });
} else {
  describe.skip(`the native engine keeps the contract: not checked, ${found.problem} (${found.help})`, () => {
    test("every op", () => {});
  });
}
