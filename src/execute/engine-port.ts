/** What the runner knows of engines: which one a stage gets, where it lives, and how its process must be started. */
import type { EngineSetting } from "../language/pipeline.ts";
import type { EngineRecord } from "../record.ts";

export interface ResolvedEngine {
  readonly name: "native" | "webgpu" | "wasm" | "cpu";
  /** Of the library that computes. */
  readonly version: string;
  /** Where the engine's own files are. */
  readonly folder: string;
  /** What else of it can make other bits though the version is the same: device, build of the library. */
  readonly build: string;
  readonly threads: number;
  readonly precision: EngineSetting["precision"];
  readonly convolution: EngineSetting["convolution"];
  /** What else moves bits and is always the same: it enters keys. */
  readonly numerics?: Readonly<Record<string, string>>;
  /** What the process that loads it must have in its environment from the start. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What of it is kept in records and traces. */
export function engineRecord({ name, version, threads, precision, convolution }: ResolvedEngine): EngineRecord {
  return { name, version, threads, precision, convolution };
}

export interface EngineProblem {
  readonly problem: string;
  readonly help: string;
  /** The setting that the engine does not have; absent where the engine itself cannot be used. */
  readonly setting?: "precision" | "convolution";
}

export interface EnginePort {
  resolve(setting: EngineSetting): ResolvedEngine | EngineProblem;
  /**
   * Rate of training convolutions on this machine, undefined where it cannot be measured: measured once (in about a
   * second) and kept beside the engine. With `anewWithinMs` it is measured whatever is kept, and given up after so long:
   * rates that are compared must be of one moment.
   */
  flopsPerSecond(engine: ResolvedEngine, anewWithinMs?: number): Promise<number | undefined>;
}
