/**
 * A GPU for Node: Dawn through the package `webgpu`, and TensorFlow.js' WebGPU backend on a device of our own.
 *
 * TensorFlow.js looks for what browsers have, `navigator.gpu` and the `GPU...` classes, when its backend is imported and
 * later: they are put in place before that and stay, one Dawn in a process. Flags: small tensors are not computed on the
 * processor behind our back, and no product is split over threads that add atomically, so that bits repeat.
 */
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core";

export interface GpuDevice {
  readonly backend: WebGPUBackend;
  /** Of the libraries that compute, such as `TensorFlow.js webgpu 4.22.0`. */
  readonly version: string;
  /** The largest tensor, in bytes, that a kernel can read. */
  readonly largestTensorBytes: number;
  /** Runs one of TensorFlow.js' kernels. */
  readonly kernel: (name: string, inputs: Readonly<Record<string, TensorInfo>>, attrs: NamedAttrMap) => TensorInfo;
  /** What the device complained of since it was opened; without asking, mistakes on a GPU stay silent. */
  readonly complaint: () => Error | undefined;
  readonly close: () => void;
}

/** What of Dawn is used here; the package declares it on top of the DOM's types. */
interface Dawn {
  readonly create: (flags: readonly string[]) => DawnGpu;
  readonly globals: Readonly<Record<string, unknown>>;
}
interface DawnGpu {
  requestAdapter(options: { readonly powerPreference: string }): Promise<DawnAdapter | null>;
}
interface DawnAdapter {
  readonly limits: Readonly<Record<string, number>>;
  readonly info: unknown;
  requestDevice(descriptor: { readonly requiredLimits: Readonly<Record<string, number>> }): Promise<DawnDevice>;
}
interface DawnDevice {
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  addEventListener(
    type: "uncapturederror",
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
  destroy(): void;
}

/** TensorFlow.js' packed product: sums in one thread, in one order. */
const PACKED_PRODUCT = 3;
const LIMITS = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
] as const;

/** Throws where there is no Dawn for this machine, or no GPU that it can use. */
export async function openDevice(): Promise<GpuDevice> {
  const adapter = await (await gpu()).requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new Error(
      "no GPU was found: Dawn needs a Vulkan driver on Linux (libvulkan.so.1 and a driver's .json in vulkan/icd.d or " +
        "VK_ICD_FILENAMES), Metal on macOS, Direct3D 12 on Windows",
    );
  const tf = await import("@tensorflow/tfjs-core");
  const webgpu = await import("@tensorflow/tfjs-backend-webgpu");
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", PACKED_PRODUCT);
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]!])),
  });
  let complaint: Error | undefined;
  const complain = (message: string) => {
    complaint ??= new Error(`the GPU refused work: ${message}`);
  };
  device.addEventListener("uncapturederror", ({ error }) => complain(error.message));
  let closing = false;
  void device.lost.then(({ message }) => {
    if (!closing) complain(`the device was lost (${message || "no reason given"})`);
  });
  type Arguments = ConstructorParameters<typeof WebGPUBackend>;
  const backend = new webgpu.WebGPUBackend(device as unknown as Arguments[0], adapter.info as Arguments[1]);
  return {
    backend,
    version: `TensorFlow.js webgpu ${tf.version_core}`,
    largestTensorBytes: device.limits.maxStorageBufferBindingSize!,
    kernel(name, inputs, attrs) {
      const run = tf.getKernel(name, "webgpu");
      if (run === undefined) throw new Error(`TensorFlow.js webgpu has no kernel ${name}`);
      return run.kernelFunc({ inputs, backend, attrs }) as TensorInfo;
    },
    complaint: () => complaint,
    close() {
      closing = true;
      backend.dispose();
      device.destroy();
    },
  };
}

/** Dawn's `navigator.gpu`, put in place at the first call. */
async function gpu(): Promise<DawnGpu> {
  const world = globalThis as { navigator?: { readonly gpu?: DawnGpu } };
  const present = world.navigator?.gpu;
  if (present !== undefined) return present;
  const { create, globals } = (await import("webgpu")) as unknown as Dawn;
  const made = create([]);
  Object.assign(globalThis, globals);
  // Node 20 has no navigator, later ones have one without a GPU.
  if (world.navigator === undefined)
    Object.defineProperty(world, "navigator", { value: { gpu: made }, configurable: true });
  else Object.defineProperty(world.navigator, "gpu", { value: made, configurable: true });
  return made;
}
