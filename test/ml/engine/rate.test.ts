import { expect, test } from "vitest";
import { createEngine } from "../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine, Tensor } from "../../../src/ml/engine/engine.ts";
import { measureRate } from "../../../src/ml/engine/rate.ts";

/** An engine whose convolutions cost `flopsPerSecond` of a clock that nothing else moves, and compute nothing. */
async function engineAt(flopsPerSecond: number) {
  const cpu = await createEngine({ threads: 1, precision: "float32", folder: "" });
  let ms = 0;
  let convolutions = 0;
  const spend = (x: Tensor, passes: number): void => {
    const [n, h, w, c] = x.shape as [number, number, number, number];
    ms += (1000 * passes * 2 * 9 * n * h * w * c * c) / flopsPerSecond;
  };
  const engine: Engine = {
    ...cpu,
    conv2d(x) {
      convolutions++;
      spend(x, 1);
      return cpu.reshape(x, x.shape);
    },
    conv2dGradient(dy, x) {
      spend(x, 2);
      return { dx: cpu.reshape(dy, dy.shape), dfilter: cpu.upload(new Float32Array(1), [1]) };
    },
  };
  return { engine, nowMs: () => ms, convolutions: () => convolutions };
}

test("the rate is that of the layers, and nothing is left behind", async () => {
  const { engine, nowMs, convolutions } = await engineAt(1e11);
  expect(await measureRate(engine, nowMs)).toBeCloseTo(1e11, -6);
  expect(convolutions()).toBe(12);
  expect(engine.liveTensors()).toBe(0);
});

test("an engine that is slow on a small layer is spared the large ones", async () => {
  const { engine, nowMs, convolutions } = await engineAt(1e8);
  expect(await measureRate(engine, nowMs)).toBeCloseTo(1e8, -3);
  expect(convolutions()).toBe(4);
  // Seconds, where the large layers would have taken minutes.
  expect(nowMs()).toBeLessThan(10_000);
});
