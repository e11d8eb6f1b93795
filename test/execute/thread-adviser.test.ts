import { expect, test } from "vitest";
import type { EnginePort, ResolvedEngine } from "../../src/execute/engine-port.ts";
import { createThreadAdviser } from "../../src/execute/thread-adviser.ts";
import type { EngineSetting } from "../../src/language/pipeline.ts";

const MINUTE = 60_000;

/** Rates by number of threads, and what was asked for. */
function port(rates: Readonly<Record<number, number | undefined>>) {
  const measured: { threads: number; anewWithinMs: number | undefined }[] = [];
  const engines: EnginePort = {
    resolve: (setting) => resolved(setting),
    async flopsPerSecond({ threads }, anewWithinMs) {
      measured.push({ threads, anewWithinMs });
      return rates[threads];
    },
  };
  return { engines, measured };
}

function resolved(setting: Partial<EngineSetting> = {}): ResolvedEngine {
  const { name = "native", threads = 2, precision = "float32", convolution = "auto" } = setting;
  const own = { name: name as ResolvedEngine["name"], threads, precision, convolution };
  return { ...own, version: "1", folder: "", build: "", environment: {} };
}

test("says what all cores would give a long stage, measured anew for both numbers of threads within a limit", async () => {
  const { engines, measured } = port({ 2: 1e11, 16: 4.12e11 });
  expect(await createThreadAdviser(engines, 16)(resolved(), 2 * MINUTE)).toBe(
    "this machine has 16 cores and engine.threads is 2: 16 would compute about 4.1 times as fast " +
      "(other bits: threads are part of the key)",
  );
  expect(measured).toEqual([
    { threads: 2, anewWithinMs: 1500 },
    { threads: 16, anewWithinMs: 1500 },
  ]);
});

test("says it once, and goes on looking until a stage is long", async () => {
  const { engines, measured } = port({ 2: 1e11, 4: 2e11 });
  const advise = createThreadAdviser(engines, 4);
  expect(await advise(resolved(), MINUTE / 2)).toBeUndefined();
  expect(await advise(resolved(), undefined)).toBeUndefined();
  expect(measured).toEqual([]);
  expect(await advise(resolved(), 2 * MINUTE)).toMatch(/4 would compute about 2\.0 times as fast/);
  expect(await advise(resolved(), 2 * MINUTE)).toBeUndefined();
  expect(measured).toHaveLength(2);
});

test("asks for the precision and the convolutions that the stage has", async () => {
  const asked: EngineSetting[] = [];
  const { engines } = port({ 1: 1e11, 8: 2e11 });
  const recording = {
    ...engines,
    resolve(setting: EngineSetting) {
      asked.push(setting);
      return engines.resolve(setting);
    },
  };
  await createThreadAdviser(recording, 8)(resolved({ threads: 1, precision: "bfloat16", convolution: "direct" }), 1e6);
  expect(asked).toEqual([{ name: "native", threads: 8, precision: "bfloat16", convolution: "direct" }]);
});

test.each([
  ["on a machine whose cores are all used", 2, {}],
  ["on an engine that computes on one thread whatever the setting", 16, { name: "wasm" }],
  ["on a GPU", 16, { name: "webgpu" }],
] as const)("measures nothing %s", async (_, cores, setting) => {
  const { engines, measured } = port({ 2: 1e11, 16: 4e11 });
  expect(await createThreadAdviser(engines, cores)(resolved(setting), 2 * MINUTE)).toBeUndefined();
  expect(measured).toEqual([]);
});

test.each([
  ["more threads give little", { 2: 1e11, 16: 1.1e11 }],
  ["the higher rate takes too long to measure", { 2: 1e11 }],
  ["no rate can be measured", {}],
])("says nothing where %s", async (_, rates) => {
  expect(await createThreadAdviser(port(rates).engines, 16)(resolved(), 2 * MINUTE)).toBeUndefined();
});
