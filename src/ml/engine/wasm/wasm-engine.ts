/**
 * The wasm engine: convolutions and matrix products on TensorFlow.js' WebAssembly kernels (XNNPACK, SIMD), everything
 * else in TypeScript, all in float32. Runs wherever Node runs. Kernels are called through the backend: no gradient
 * tape, no layers.
 *
 * What the kernels cannot do is not asked of them. There is no filter gradient, the input gradient is a scalar loop,
 * MaxPoolGrad is wrong where a maximum is <= 0, and transposed or batched matMul is slow: gradients are plain products
 * of patch matrices (33 GFLOP/s on one core, as the forward convolution), and pooling is TypeScript. XNNPACK keeps
 * packed weights by tensor id, so a changed weight must never keep its id: each call uploads its arguments anew.
 *
 * The backend lives in TensorFlow.js' global registry, one in a process: unavoidable, and harmless since it keeps
 * nothing between calls. In Node it runs on one thread whatever `threads` says; its results depend on no thread count.
 */
import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { CreateEngine, Shape } from "../engine.ts";
import type { ConvolutionInputs } from "../plain/convolution.ts";
import { openPlainEngine } from "../plain/plain-engine.ts";
import type { Reals } from "../plain/storage.ts";
import { refuseUnsupportedSettings } from "../unsupported-setting.ts";

/** `folder` holds the backend's `.wasm` files: the `dist` folder of @tensorflow/tfjs-backend-wasm. */
export const createEngine: CreateEngine = async ({ folder, ...settings }) => {
  refuseUnsupportedSettings("wasm", settings);
  const { version, call } = await openKernels(folder);
  return openPlainEngine({
    name: "wasm",
    version: `TensorFlow.js wasm ${version}`,
    copyTensor: (data) => Float32Array.from(data),
    copyVariable: (data) => Float32Array.from(data),
    multiply: (a, b, m, n, k) =>
      call("BatchMatMul", { a: [a, [1, m, k]], b: [b, [1, k, n]] }, { transposeA: false, transposeB: false }),
    convolve({ x, xShape, filter, filterShape, geometry }: ConvolutionInputs) {
      const { stride, padding, dilation, groups } = geometry;
      if (groups !== 1) return undefined;
      // Pads in full: a single number makes TensorFlow.js size the output by the kernel's height alone.
      const none: [number, number] = [0, 0];
      const both: [number, number] = [padding, padding];
      return call(
        "Conv2D",
        { x: [x, xShape], filter: [filter, filterShape] },
        {
          strides: [stride, stride],
          pad: [none, both, both, none],
          dilations: [dilation, dilation],
          dataFormat: "NHWC",
          dimRoundingMode: "floor",
        },
      );
    },
    close: () => {},
  });
};

type KernelInputs = Readonly<Record<string, readonly [data: Reals, shape: Shape]>>;

interface Kernels {
  readonly version: string;
  /** Copies the inputs to the wasm heap, runs the kernel, copies its result back and frees all of it. */
  readonly call: (kernel: string, inputs: KernelInputs, attrs: NamedAttrMap) => Float32Array;
}

async function openKernels(folder: string): Promise<Kernels> {
  const binary = join(folder, "tfjs-backend-wasm-simd.wasm");
  if (!existsSync(binary)) throw new Error(`the wasm engine's files are not in ${folder}: ${binary} does not exist`);
  const tf = await import("@tensorflow/tfjs-core");
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  if (tf.getBackend() !== "wasm") {
    wasm.setWasmPaths(folder.endsWith(sep) ? folder : folder + sep);
    if (!(await tf.setBackend("wasm"))) throw new Error(`the wasm engine could not start ${binary}`);
  }
  const backend = tf.backend() as BackendWasm;
  return {
    version: wasm.version_wasm,
    call(kernel, inputs, attrs) {
      const run = tf.getKernel(kernel, "wasm");
      if (run === undefined) throw new Error(`TensorFlow.js wasm has no kernel ${kernel}`);
      const infos: NamedTensorInfoMap = {};
      for (const [name, [data, shape]] of Object.entries(inputs))
        infos[name] = backend.makeOutput([...shape], "float32", undefined, float32(data));
      const result = run.kernelFunc({ inputs: infos, backend, attrs }) as TensorInfo;
      const data = backend.typedArrayFromHeap(result).slice() as Float32Array;
      for (const info of [...Object.values(infos), result]) backend.disposeData((info as TensorInfo).dataId);
      return data;
    },
  };
}

function float32(data: Reals): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
