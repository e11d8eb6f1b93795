/**
 * Executes one stage: one writer per fingerprint, inputs verified before and looked at again after, outputs staged and
 * moved in on success, the trace last. On any other end, what was there before is still there.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { REFERENCES_FILE } from "../cache/artifact-store.ts";
import type { Trace, TracedOutput } from "../cache/trace-store.ts";
import { digestFile } from "../identity/digest.ts";
import { sameStat } from "../identity/stat-memo.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import type { FileStat } from "../platform/file-system.ts";
import type { FailureRecord } from "../record.ts";
import { describeRefusal } from "./describe-refusal.ts";
import { engineRecord } from "./engine-port.ts";
import type { StageKey } from "./stage-key.ts";
import { runStageProcess } from "./stage-process.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface ExecuteStageRequest {
  readonly stage: PipelineStage;
  readonly key: StageKey;
  /** Where each input can be read. */
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  /** Of every file of the user's that is an input: its stat before it was digested. */
  readonly watched: ReadonlyMap<string, FileStat>;
  readonly runId: string;
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onMessage: (message: WorkerNews) => void;
  readonly onOutput: (stream: "stdout" | "stderr", line: string) => void;
  readonly onStart: (kill: () => void) => void;
}

export type ExecuteStageResult =
  | { readonly result: "ran"; readonly trace: Trace }
  | ({ readonly result: "interrupted" } & Executed)
  | ({ readonly result: "failed"; readonly failure: FailureRecord } & Executed);

/** What is known of an execution however it ended. */
export interface Executed {
  readonly durationMs: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly measurements: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

export async function executeStage(workspace: Workspace, request: ExecuteStageRequest): Promise<ExecuteStageResult> {
  const { files, layout, checkpoints, clock } = workspace;
  const { stage, key } = request;
  const staging = layout.temporary();
  const metrics: Record<string, number> = {};
  const measurements: Record<string, number> = {};
  const warnings: string[] = [];
  const startedMs = clock.nowMs();
  const executed = (): Executed => ({ durationMs: clock.nowMs() - startedMs, metrics, measurements, warnings });
  const failed = (message: string, help?: string): ExecuteStageResult => ({
    result: "failed",
    failure: { message, ...(help === undefined ? {} : { help }), lastOutput: [] },
    ...executed(),
  });
  try {
    const outputs = Object.fromEntries(
      Object.keys(stage.outputs).map((name) => [name, join(staging, "outputs", name)]),
    );
    for (const folder of Object.values(outputs)) files.makeFolder(folder);
    for (const { path, digest } of key.resolved.bundles)
      if ((await digestFile(files, path)) !== digest)
        return failed(`${path} is not the code that was built`, "build or install tfpipe again");
    const ended = await runStageProcess({
      worker: request.worker,
      request: {
        stageType: stage.type,
        entry: key.resolved.entry,
        assets: key.resolved.assets,
        params: stage.params,
        inputs: request.inputs,
        outputs,
        ...(key.engine === undefined || key.resolved.engine === undefined
          ? {}
          : {
              engine: {
                bundle: key.resolved.engine,
                folder: key.engine.folder,
                threads: key.engine.threads,
                precision: key.engine.precision,
                convolution: key.engine.convolution,
              },
            }),
        checkpointFolder: join(staging, "checkpoints"),
        scratchFolder: layout.scratch(stage.type),
        processors: workspace.machine.cores,
      },
      environment: stageEnvironment(request.environment, key.engine?.environment ?? {}),
      signal: request.signal,
      onOutput: request.onOutput,
      onStart: request.onStart,
      onMessage(message) {
        if (message.type === "measure")
          (message.role === "metric" ? metrics : measurements)[message.name] = message.value;
        if (message.type === "warn") warnings.push(message.line);
        request.onMessage(message);
      },
      checkpoints: {
        find: (checkpoint) =>
          checkpoints.find(key.checkpointBase, checkpoint, (message) => {
            warnings.push(message);
            request.onMessage({ type: "warn", line: message });
          }),
        save: (checkpoint, folder) => checkpoints.save(key.checkpointBase, checkpoint, folder),
        drop: (checkpoint) => checkpoints.drop(key.checkpointBase, checkpoint),
      },
    });
    if (ended.result !== "done") return { ...ended, ...executed() };
    const durationMs = clock.nowMs() - startedMs;
    measurements.peakMemoryBytes = ended.peakMemoryBytes;

    const moved = findMoved(workspace, request.watched);
    if (moved !== undefined)
      return failed(
        `input ${moved} was changed while the stage ran, so its result cannot be kept`,
        "run it again once the file is still",
      );
    const taken: Record<string, TracedOutput> = {};
    for (const name of Object.keys(stage.outputs)) {
      if (files.list(outputs[name]!).length === 0)
        return failed(
          `it ended without writing its output ${name}`,
          "a stage must put at least one file into each output folder",
        );
      const unknown = findUnknownReference(workspace, outputs[name]!, request.inputs);
      if (unknown !== undefined)
        return failed(`output ${name} references ${unknown}, which is not an input of the stage`);
    }
    for (const [name, port] of Object.entries(stage.outputs)) {
      const stored = await workspace.artifacts.takeIn(outputs[name]!, port.kind);
      taken[name] = { ...stored, facts: stage.facts[name] ?? {} };
    }
    const trace: Trace = {
      format: "tfpipe/trace/1",
      fingerprint: key.fingerprint,
      manifest: key.manifest,
      code: key.code,
      outputs: taken,
      durationMs,
      metrics,
      measurements,
      warnings,
      ...(key.engine === undefined ? {} : { engine: engineRecord(key.engine) }),
      platformClass: key.platformClass,
      runId: request.runId,
      madeAt: clock.date(),
    };
    workspace.traces.add(trace);
    return { result: "ran", trace };
  } catch (error) {
    const refusal = describeRefusal(error);
    if (refusal === undefined) throw error;
    return { result: "failed", failure: refusal, ...executed() };
  } finally {
    files.remove(staging);
  }
}

/** Path of a user's file that is not as it was when it was digested. */
function findMoved({ files }: Workspace, watched: ReadonlyMap<string, FileStat>): string | undefined {
  for (const [path, before] of watched) {
    const after = files.stat(path);
    if (after === undefined || !sameStat(before, after)) return path;
  }
  return undefined;
}

function findUnknownReference(
  { files }: Workspace,
  folder: string,
  inputs: Readonly<Record<string, ArtifactPaths>>,
): string | undefined {
  const text = files.readText(join(folder, REFERENCES_FILE));
  if (text === undefined) return undefined;
  const known = new Set<string>();
  const visit = (paths: ArtifactPaths): void => {
    known.add(paths.digest);
    for (const target of Object.values(paths.references)) visit(target);
  };
  for (const paths of Object.values(inputs)) visit(paths);
  const references = JSON.parse(text) as Record<string, { digest: string }>;
  return Object.values(references).find(({ digest }) => !known.has(digest))?.digest;
}

/** Built from scratch: what the user's shell has set for TensorFlow, OpenMP or Node must not reach the stage. */
function stageEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  engine: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = { LANG: "C.UTF-8", TMPDIR: own.TMPDIR ?? tmpdir() };
  for (const name of ["PATH", "HOME"]) {
    const value = own[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...engine };
}
