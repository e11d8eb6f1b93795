import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createReferenceEngine } from "../../../../src/ml/engine/cpu/cpu-engine.ts";
import type { Engine } from "../../../../src/ml/engine/engine.ts";
import { selfTest } from "../../../../src/ml/engine/self-test.ts";
import { createEngine } from "../../../../src/ml/engine/wasm/wasm-engine.ts";
import { draw } from "../../../parity/draw.ts";

const folder = dirname(fileURLToPath(import.meta.resolve("@tensorflow/tfjs-backend-wasm")));
const open = () => createEngine({ threads: 1, precision: "float32", folder });

describe("the wasm engine", () => {
  // First: once the backend runs, the folder is not read again.
  test("says which file is missing where the folder is not its own", async () => {
    await expect(createEngine({ threads: 1, precision: "float32", folder: "/nowhere" })).rejects.toThrow(
      "/nowhere/tfjs-backend-wasm-simd.wasm does not exist",
    );
  });

  test("says what it runs on", async () => {
    expect((await open()).version).toMatch(/^TensorFlow\.js wasm 4\.\d+\.\d+$/);
  });

  test("trains the self-test's network to the expected numbers", async () => {
    expect(await selfTest(await open())).toMatchObject({ ok: true });
  });

  test("refuses a precision that it does not compute in", async () => {
    await expect(createEngine({ threads: 1, precision: "bfloat16", folder })).rejects.toThrow(
      "the wasm engine cannot do bfloat16 arithmetic",
    );
  });

  test("two engines live side by side, and closing one leaves the other", async () => {
    const [first, second] = [await open(), await open()];
    expect(await convolve(first)).toEqual(await convolve(second));
    await first.close();
    expect((await convolve(second)).length).toBe(2 * 6 * 6 * 5);
  });

  test("its bits do not depend on the thread count asked for", async () => {
    const many = await createEngine({ threads: 4, precision: "float32", folder });
    expect(await convolve(many)).toEqual(await convolve(await open()));
  });

  test("a gradient summed over more patches than one chunk holds is right", async () => {
    const shape = [12, 32, 32, 16];
    const filterShape = [3, 3, 16, 8];
    const outShape = [12, 32, 32, 8];
    const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
    const gradient = async (engine: Engine) => {
      const filter = engine.variable(float32("filter", filterShape), filterShape);
      const [x, dy] = [engine.upload(float32("x", shape), shape), engine.upload(float32("dy", outShape), outShape)];
      const { dx, dfilter } = engine.conv2dGradient(dy, x, filter, geometry, true);
      return [
        Float32Array.from(await engine.download(dfilter)),
        Float32Array.from(await engine.download(dx!)),
      ] as const;
    };
    const actual = await gradient(await open());
    const expected = await gradient(createReferenceEngine());
    // float32 against double, sums of 12,288 products: 2e-5 of the largest.
    expected.forEach((values, which) => {
      const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      const error = values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - actual[which]![i]!)), 0);
      expect(error / scale).toBeLessThan(2e-5);
    });
  });
});

async function convolve(engine: Engine) {
  const x = engine.upload(float32("x", [2, 6, 6, 3]), [2, 6, 6, 3]);
  const filter = engine.variable(float32("filter", [3, 3, 3, 5]), [3, 3, 3, 5]);
  return engine.download(engine.conv2d(x, filter, { stride: 1, padding: 1, dilation: 1, groups: 1 }));
}

function float32(name: string, shape: readonly number[]): Float32Array {
  return Float32Array.from(
    draw(
      name,
      shape.reduce((a, b) => a * b, 1),
    ),
  );
}
