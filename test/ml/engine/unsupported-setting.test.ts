import { expect, test } from "vitest";
import type { ConvolutionAlgorithm, EngineName, NumericPrecision } from "../../../src/ml/engine/engine.ts";
import { loadEngine } from "../../../src/ml/engine/load-engine.ts";
import { refuseUnsupportedSettings, unsupportedSetting } from "../../../src/ml/engine/unsupported-setting.ts";

const problem = (engine: EngineName, precision: NumericPrecision, convolution?: ConvolutionAlgorithm) => {
  const found = unsupportedSetting(engine, { precision, ...(convolution === undefined ? {} : { convolution }) });
  return found && `${found.setting}: ${found.error.message}`;
};

test.each(["wasm", "cpu", "webgpu"] as const)("%s computes in float32, without Winograd's transform", async (name) => {
  expect(problem(name, "float32")).toBeUndefined();
  expect(problem(name, "float32", "auto")).toBeUndefined();
  expect(problem(name, "float32", "direct")).toBeUndefined();
  expect(problem(name, "bfloat16")).toBe(`precision: the ${name} engine cannot do bfloat16 arithmetic; native can`);
  expect(problem(name, "float32", "winograd")).toBe(
    `convolution: the ${name} engine cannot do Winograd convolutions; native can`,
  );
});

test("native has every precision and every way of convolutions, but not Winograd's in bfloat16", () => {
  for (const convolution of ["auto", "direct", "winograd"] as const)
    expect(problem("native", "float32", convolution)).toBeUndefined();
  expect(problem("native", "bfloat16", "auto")).toBeUndefined();
  expect(problem("native", "bfloat16", "direct")).toBeUndefined();
  expect(problem("native", "bfloat16", "winograd")).toBe(
    "convolution: the native engine cannot do Winograd convolutions in bfloat16 precision; no engine here can",
  );
});

test.each(["wasm", "cpu", "webgpu"] as const)("an engine refuses by the same rule: %s", async (name) => {
  const createEngine = await loadEngine(name);
  const settings = { precision: "float32", convolution: "winograd" } as const;
  expect(() => refuseUnsupportedSettings(name, settings)).toThrow(/cannot do Winograd/);
  await expect(createEngine({ ...settings, threads: 1, folder: "" })).rejects.toThrow(/cannot do Winograd/);
});
