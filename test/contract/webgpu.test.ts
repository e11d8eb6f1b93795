/**
 * The webgpu engine, where Dawn finds a GPU; `scripts/install-swiftshader.sh` brings one that needs no hardware. There,
 * most of the time is the compilation of shaders. With TFPIPE_TEST_WEBGPU=required a missing GPU fails instead.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GpuDevice, openDevice } from "../../src/ml/engine/webgpu/device.ts";
import { createEngine, WebgpuEngine } from "../../src/ml/engine/webgpu/webgpu-engine.ts";
import { describeEngine } from "./engine-contract.ts";

const options = { threads: 1, precision: "float32", folder: "" } as const;
const missing = await openDevice().then(
  (device) => device.close(),
  (error: Error) => error.message,
);

if (missing !== undefined && process.env.TFPIPE_TEST_WEBGPU !== "required") {
  describe.skip(`the webgpu engine keeps the contract: not checked, ${missing}`, () => {
    test("every op", () => {});
  });
} else {
  let device: GpuDevice;
  const open = async () => {
    device = await openDevice();
    return new WebgpuEngine(device);
  };
  describeEngine("webgpu", open, {
    heldUnderneath: () => device.backend.numDataIds(),
  });

  describe("the webgpu engine", () => {
    let engine: Awaited<ReturnType<typeof createEngine>>;
    beforeAll(async () => {
      engine = await createEngine(options);
    });
    afterAll(() => engine?.close());

    test("refuses a label that is no class, where a GPU would read past its arrays in silence", () => {
      const logits = engine.upload(new Float32Array(6), [2, 3]);
      const labels = engine.upload(Int32Array.of(0, 3), [2]);
      expect(() => engine.softmaxCrossEntropy(logits, labels)).toThrow("label 3 is not one of 3 classes");
      engine.dispose(logits, labels);
    });

    test("says what the GPU refuses, where it would be silent", async () => {
      const other = await openDevice();
      const broken = new WebgpuEngine(other);
      const tensor = broken.upload(Float32Array.of(1), [1]);
      other.backend.device.createShaderModule({ code: "this is no shader" });
      await expect(broken.download(broken.relu(tensor))).rejects.toThrow(
        /the GPU refused work: .*no shader|parsing WGSL/,
      );
      await broken.close();
    });

    test("takes float32 only, and says so", async () => {
      await expect(createEngine({ ...options, precision: "bfloat16" })).rejects.toThrow(
        "the webgpu engine cannot do bfloat16 arithmetic; native can",
      );
    });

    test("names a weight that is larger than what a kernel of this GPU can read", () => {
      expect(engine.unsupported!({ weights: [[3, 3, 64, 64], [64]] })).toBeUndefined();
      expect(engine.unsupported!({ weights: [[1 << 20, 1 << 16]] })).toMatch(/a weight of shape \[1048576,65536\]/);
    });
  });
}
