/** What this machine is: for the run record, and for the class of machines on which equal bits are promised. */

import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

export interface Machine {
  readonly platform: string;
  readonly architecture: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly node: string;
  /** What kernels choose by: `amx`, `avx512bf16`, `avx512`, `avx2`, `neon`, `base`. No dash: it stands between others. */
  readonly instructions: string;
}

export function describeMachine(): Machine {
  const processors = cpus();
  return {
    platform: process.platform,
    architecture: process.arch,
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    instructions: instructionLevel(),
  };
}

function instructionLevel(): string {
  if (process.arch === "arm64") return "neon";
  if (process.platform !== "linux") return "base";
  let flags: Set<string>;
  try {
    const line = readFileSync("/proc/cpuinfo", "utf8")
      .split("\n")
      .find((text) => text.startsWith("flags"));
    flags = new Set((line ?? "").split(/\s+/));
  } catch {
    return "base";
  }
  if (flags.has("amx_bf16")) return "amx";
  if (flags.has("avx512_bf16")) return "avx512bf16";
  if (flags.has("avx512f")) return "avx512";
  return flags.has("avx2") ? "avx2" : "base";
}
