/** What the runner knows of engines: which one a stage gets, where it lives, and how its process must be started. */
import type { EngineSetting } from "../language/pipeline.ts";

export interface ResolvedEngine {
  readonly name: "native" | "wasm" | "cpu";
  /** Of the library that computes. */
  readonly version: string;
  /** Where the engine's own files are. */
  readonly folder: string;
  readonly threads: number;
  readonly precision: "float32";
  /** What the process that loads it must have in its environment from the start. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface EngineProblem {
  readonly problem: string;
  readonly help: string;
}

export interface EnginePort {
  resolve(setting: EngineSetting): ResolvedEngine | EngineProblem;
  /** Rate of training convolutions on this machine; measured once (a second or two) and kept beside the engine. */
  flopsPerSecond(engine: ResolvedEngine): Promise<number>;
}
