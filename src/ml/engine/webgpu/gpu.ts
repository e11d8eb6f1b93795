/** What the webgpu engine's ops work with. */
import type { GpuDevice } from "./device.ts";
import type { GpuMemory } from "./gpu-memory.ts";
import type { Programs } from "./programs.ts";

export interface Gpu {
  readonly kernel: GpuDevice["kernel"];
  readonly memory: GpuMemory;
  readonly programs: Programs;
}
