/**
 * How much memory this process could get at most: what a control group grants it, and what the machine has left. An upper
 * bound, for refusing what cannot fit: others may take some of it meanwhile.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

/** Where the figures come from. */
export interface MemorySource {
  /** Of this process's control group, 0 or absurdly large where there is none. */
  readonly constrained: number;
  /** The text of /proc/meminfo; undefined where there is none. */
  readonly meminfo: string | undefined;
  readonly total: number;
}

/** In bytes. */
export function memoryLimit(source: MemorySource = thisMachine()): number {
  return Math.min(grantedMemory(source), availableBytes(source.meminfo) ?? source.total);
}

/** Whoever else takes of it: what the machine has, or what a control group leaves of that. In bytes. */
export function grantedMemory({ constrained, total }: MemorySource = thisMachine()): number {
  return constrained > 0 ? Math.min(constrained, total) : total;
}

/** What could be had without taking it from others, swap included. Only Linux says so. */
function availableBytes(meminfo: string | undefined): number | undefined {
  const kibibytes = (name: string) => meminfo?.match(new RegExp(`^${name}:\\s*(\\d+) kB`, "m"))?.[1];
  const available = kibibytes("MemAvailable");
  return available === undefined ? undefined : 1024 * (Number(available) + Number(kibibytes("SwapFree") ?? 0));
}

/** `constrainedMemory` reads the limits of control groups, version 1 and 2. */
function thisMachine(): MemorySource {
  let meminfo: string | undefined;
  try {
    meminfo = readFileSync("/proc/meminfo", "utf8");
  } catch {
    // Not Linux.
  }
  return { constrained: process.constrainedMemory(), meminfo, total: totalmem() };
}
