/** What of this machine stages share beside its processors. */
import { readdirSync } from "node:fs";
import { grantedMemory } from "./memory-limit.ts";

export interface SharedResources {
  /** What the machine has, or what its control group grants. */
  readonly memoryBytes: number;
  /** At least 1: not every system tells, and stages that ask for the GPU must not run at once. */
  readonly gpus: number;
}

export function sharedResources(): SharedResources {
  return { memoryBytes: grantedMemory(), gpus: Math.max(1, countNvidiaDevices()) };
}

function countNvidiaDevices(): number {
  try {
    return readdirSync("/dev").filter((name) => /^nvidia\d+$/.test(name)).length;
  } catch {
    return 0;
  }
}
