/** What people and disks do to a project's visible results, and to a file of its store. */
import { join } from "node:path";
import type { Rng } from "../../src/rng.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import type { PuppetOutput } from "./model-project.ts";
import type { SpoiledObject, SpoiledOutput } from "./project-events.ts";
import { VISIBLE } from "./simulated-project.ts";

export function spoilOutput(disk: MemoryDisk, how: SpoiledOutput, rng: Rng): void {
  const [path, node] = pick(rng, disk.filesIn(VISIBLE)) ?? [];
  if (path === undefined || node === undefined) return;
  const full = join(VISIBLE, path);
  const stage = join(VISIBLE, path.split("/")[0]!);
  switch (how) {
    case "edit":
      disk.write(full, "edited by hand");
      return;
    case "editWithSameLength":
      disk.write(full, flipped(node.bytes, rng));
      return;
    case "delete":
      disk.remove(full);
      return;
    case "changeMode":
      disk.setMode(full, node.executable ? "writable" : "writable-executable");
      return;
    case "becomeFolder":
      disk.remove(full);
      disk.makeFolder(full);
      disk.write(join(full, "inside"), "");
      return;
    case "deleteStage":
      disk.remove(stage);
      return;
    case "deleteAll":
      disk.remove(VISIBLE);
      return;
    case "outputBecomesFile": {
      const output = join(stage, path.split("/")[1] as PuppetOutput);
      disk.remove(output);
      disk.write(output, "a file");
      return;
    }
  }
}

export function spoilObject(disk: MemoryDisk, path: string, how: SpoiledObject | "rotObject", rng: Rng): void {
  const bytes = disk.read(path);
  if (how === "deleteObject") disk.remove(path);
  else if (how === "rotObject") disk.rot(path, flipped(bytes, rng));
  else disk.write(path, how === "flipObject" ? flipped(bytes, rng) : bytes.slice(0, bytes.length >> 1));
}

export function pick<T>(rng: Rng, values: readonly T[]): T | undefined {
  return values[Math.floor(rng.uniform() * values.length)];
}

export function flipped(bytes: Uint8Array, rng: Rng): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length > 0) copy[Math.floor(rng.uniform() * copy.length)]! ^= 1 << Math.floor(rng.uniform() * 8);
  return copy;
}
