/** Everything that stays the same during a command: the store, the code, the machine, the catalogue. One named object. */
import type { ArtifactStore } from "../cache/artifact-store.ts";
import type { CheckpointStore } from "../cache/checkpoint-store.ts";
import type { CodeStore } from "../cache/code-store.ts";
import type { Ledger } from "../cache/ledger.ts";
import type { Locks } from "../cache/locks.ts";
import type { StoreLayout } from "../cache/store-layout.ts";
import type { TraceStore } from "../cache/trace-store.ts";
import type { CodeLibrary } from "../identity/code-library.ts";
import type { StatMemo } from "../identity/stat-memo.ts";
import type { StageCatalogue } from "../language/pipeline.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { LookRecorder } from "../platform/look-recorder.ts";
import type { Machine } from "../platform/machine.ts";
import type { Clock } from "./clock.ts";
import type { EnginePort } from "./engine-port.ts";
import type { StageProcessOptions, StageResult } from "./stage-process.ts";

export interface Workspace {
  readonly files: FileSystem;
  /** Tells what was looked at through `files`, by whatever is in here. */
  readonly looks: Pick<LookRecorder, "record">;
  /** Nothing that is remembered of files is believed. */
  readonly paranoid: boolean;
  /** `artifacts/`: where visible outputs are. */
  readonly artifactsFolder: string;
  readonly layout: StoreLayout;
  readonly memo: StatMemo;
  readonly artifacts: ArtifactStore;
  readonly codeStore: CodeStore;
  readonly traces: TraceStore;
  readonly ledger: Ledger;
  readonly checkpoints: CheckpointStore;
  readonly locks: Locks;
  readonly code: CodeLibrary;
  readonly catalogue: StageCatalogue;
  readonly engines: EnginePort;
  readonly machine: Machine;
  /** The user's PATH: where the programs that a command lists as its tools are looked for. */
  readonly searchPath: string;
  readonly clock: Clock;
  /** Runs the code of a stage, in a process of its own; of what it runs nothing is left when it resolves. */
  readonly runWorker: (options: StageProcessOptions) => Promise<StageResult>;
  /** Version of this package. */
  readonly version: string;
}
