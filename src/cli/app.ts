/**
 * What a command gets from the program's edge: the world as ports, and nothing global. `main.ts` makes the real one;
 * tests can make another.
 */
import type { ContentComparer } from "../cache/artifact-difference.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { UserStages } from "../identity/user-stages.ts";
import type { StageCatalogue } from "../language/pipeline.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { ReporterOutput, Schedule } from "../report/reporter.ts";
import type { EngineTools } from "./engine-tools.ts";
import type { ModelExporter } from "./model-exporter.ts";

export interface App {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output: results. */
  readonly out: ReporterOutput;
  /** Standard error: diagnostics and notes beside the result. */
  readonly err: ReporterOutput;
  readonly version: string;
  /** Tells builds of this program apart, of one version too. */
  readonly build: string;
  /** A name no other process uses. */
  readonly unique: () => string;
  readonly files: FileSystem;
  readonly catalogue: StageCatalogue;
  readonly engines: EngineTools;
  readonly exporter: ModelExporter;
  /** Tells files of artifacts apart. */
  readonly comparer: ContentComparer;
  readonly schedule: Schedule;
  readonly nowMs: () => number;
  readonly processors: number;
  /** Path of the built worker program. */
  readonly worker: string;
  /** Folder of the package: schemas, starter pipeline. */
  readonly packageFolder: string;
  /** A name no other process uses, that sorts by time. */
  readonly newRunId: () => string;
  readonly interrupts: Interrupts;
  /** The user's own stages in the modules at these absolute paths; their bundles are kept in the store. */
  loadUserStages(artifactsFolder: string, modules: readonly string[]): Promise<UserStages>;
  openWorkspace(artifactsFolder: string, options: WorkspaceOptions): Promise<Workspace>;
}

export interface WorkspaceOptions {
  readonly paranoid: boolean;
  readonly userStages?: UserStages;
  /** False where every stage is a command; left out: there may be others. */
  readonly needsCode?: boolean;
}

export interface Interrupts {
  /** Aborted by the first Ctrl-C. */
  readonly stop: AbortSignal;
  /** Aborted by the second. */
  readonly kill: AbortSignal;
  /** From now on Ctrl-C aborts these instead of ending the program. */
  listen(): void;
}

/** 0 done, 1 a stage failed, 2 the pipeline or usage is wrong, 3 a bug, 4 a check did not hold, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130;

/** A command cannot do what was asked: the message and the help are shown, without a stack. */
export class UsageError extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.name = "UsageError";
    this.help = help;
  }
}
