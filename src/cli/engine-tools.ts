/** What the commands need of engines, as a port: `main.ts` connects it to the ml library. */

import type { Progress } from "../contract.ts";
import type { EnginePort, ResolvedEngine } from "../execute/engine-port.ts";

export interface EngineTools extends EnginePort {
  list(options: { readonly selfTest: boolean }): Promise<readonly EngineListing[]>;
  /**
   * Tests engines, each in a process of its own: `names`, or all that are available. With `full` by the whole contract
   * suite, else by the self-test alone.
   */
  test(options: EngineTestOptions): Promise<readonly EngineTest[]>;
  /**
   * Asks an engine to prove itself at its first use here, as the self-test does; later uses cost nothing. Gives what is
   * wrong with it, undefined where it computes rightly.
   */
  prove(engine: ResolvedEngine, signal: AbortSignal): Promise<string | undefined>;
  /** Puts the native engine in place. Throws `EngineInstallRefused` where that cannot be done here. */
  install(options: EngineInstallOptions): Promise<EngineListing>;
  /** Whether a first use should try to install: not installed, and not refused before. */
  shouldInstall(): boolean;
  /** The one line that says what an earlier refusal was, and what mends it. */
  refusal(): { readonly message: string; readonly help: string } | undefined;
}

export interface EngineListing {
  readonly name: string;
  readonly available: boolean;
  readonly version?: string;
  /** Where the library came from. */
  readonly source?: string;
  readonly folder?: string;
  readonly selfTest?: { readonly ok: boolean; readonly ms?: number; readonly problem?: string };
  readonly problem?: string;
  readonly help?: string;
}

export interface EngineTestOptions {
  readonly names: readonly string[];
  readonly full: boolean;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

export interface EngineTest extends EngineListing {
  /** Of a full test: one table for each of the engine's settings that change how it computes. */
  readonly contracts?: readonly ContractTable[];
}

export interface ContractTable {
  readonly precision: string;
  readonly convolution: string;
  readonly ok: boolean;
  readonly rows: readonly {
    readonly op: string;
    readonly cases: number;
    /** Relative to the largest value expected; absent where bits are compared. */
    readonly worstError?: number;
    readonly tolerance?: number;
    readonly ok: boolean;
  }[];
  /** Cases that failed, as sentences. */
  readonly problems: readonly string[];
  readonly cases: number;
  readonly ms: number;
}

export interface EngineInstallOptions {
  readonly gpu: boolean;
  /** A folder with TensorFlow's C library and headers, instead of the wheel. */
  readonly libraryFolder?: string;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

export class EngineInstallRefused extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "EngineInstallRefused";
    this.help = help;
  }
}
