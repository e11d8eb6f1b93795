/**
 * Executes one stage: one writer per fingerprint, inputs verified before and looked at again after, outputs staged and
 * moved in on success, the trace last. On any other end, what was there before is still there.
 */
import { join } from "node:path";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { parseReferences, REFERENCES_FILE } from "../cache/artifact-store.ts";
import type { Trace, TracedOutput } from "../cache/trace-store.ts";
import type { ResolvedCode } from "../identity/code-library.ts";
import { digestFile } from "../identity/digest.ts";
import { sameStat } from "../identity/stat-memo.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import type { FileStat } from "../platform/file-system.ts";
import type { FailureRecord } from "../record.ts";
import type { CheckpointTurn } from "./checkpoint-turns.ts";
import { describeRefusal } from "./describe-refusal.ts";
import { engineRecord } from "./engine-port.ts";
import { ownFiles, removeStaging } from "./own-files.ts";
import { findShellOutputs, runShellStage, type StagedOutput, type StagedOutputs } from "./shell-stage.ts";
import { stageEnvironment } from "./stage-environment.ts";
import type { StageKey } from "./stage-key.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface ExecuteStageRequest {
  readonly stage: PipelineStage;
  readonly key: StageKey;
  /** Where each input can be read. */
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  /** Of every file of the user's that is an input: its stat before it was digested. */
  readonly watched: ReadonlyMap<string, FileStat>;
  /** Left out: nobody waits for its checkpoints. */
  readonly turn?: CheckpointTurn;
  readonly runId: string;
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly onMessage: (message: WorkerNews) => void;
  readonly onOutput: (stream: "stdout" | "stderr", line: string) => void;
  readonly onStart: (kill: () => void) => void;
  /** It ends interrupted when its progress has come to this. */
  readonly stopAt?: number;
}

export type ExecuteStageResult =
  | { readonly result: "ran"; readonly trace: Trace }
  | ({ readonly result: "interrupted" } & Executed)
  /** `isFinal`: another attempt could not end otherwise. */
  | ({ readonly result: "failed"; readonly failure: FailureRecord; readonly isFinal?: true } & Executed);

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
  let hasCheckpoints = false;
  const startedMs = clock.nowMs();
  const executed = (): Executed => ({ durationMs: clock.nowMs() - startedMs, metrics, measurements, warnings });
  const failed = (message: string, help?: string): ExecuteStageResult & { readonly result: "failed" } => ({
    result: "failed",
    failure: { message, ...(help === undefined ? {} : { help }), lastOutput: [] },
    ...executed(),
  });
  try {
    const outputs = Object.fromEntries(
      Object.keys(stage.outputs).map((name) => [name, join(staging, "outputs", name)]),
    );
    const refused = makeFolders(workspace, Object.values(outputs));
    if (refused !== undefined) return { ...failed(...refused), isFinal: true };
    for (const { path, digest } of key.resolved?.bundles ?? [])
      if ((await digestFile(files, path)) !== digest)
        return { ...failed(`${path} is not the code that was built`, "build or install tfpipe again"), isFinal: true };
    const process = {
      signal: request.signal,
      clock,
      ...(stage.execution.timeoutMs === undefined ? {} : { timeoutMs: stage.execution.timeoutMs }),
      onOutput: request.onOutput,
      onStart: request.onStart,
    };
    const runWorker = (code: ResolvedCode) =>
      workspace.runWorker({
        ...process,
        worker: request.worker,
        request: {
          stageType: key.manifest.stageType,
          entry: code.entry,
          assets: code.assets,
          params: stage.params,
          inputs: request.inputs,
          outputs,
          ...(key.engine === undefined || code.engine === undefined
            ? {}
            : {
                engine: {
                  bundle: code.engine,
                  folder: key.engine.folder,
                  threads: key.engine.threads,
                  precision: key.engine.precision,
                  convolution: key.engine.convolution,
                },
              }),
          checkpointFolder: join(staging, "checkpoints"),
          scratchFolder: layout.scratch(key.manifest.stageType),
          processors: workspace.machine.cores,
          ...(request.stopAt === undefined ? {} : { stopAt: request.stopAt }),
        },
        environment: stageEnvironment(request.environment, stage.env, key.engine?.environment ?? {}),
        onMessage(message) {
          if (message.type === "measure")
            (message.role === "metric" ? metrics : measurements)[message.name] = message.value;
          if (message.type === "warn") warnings.push(message.line);
          request.onMessage(message);
        },
        checkpoints: {
          find(checkpoint) {
            hasCheckpoints = true;
            return checkpoints.find(key.checkpointBase, checkpoint, (message) => {
              warnings.push(message);
              request.onMessage({ type: "warn", line: message });
            });
          },
          save(checkpoint, folder, passing) {
            hasCheckpoints = true;
            const save = () => checkpoints.save(key.checkpointBase, checkpoint, folder, passing);
            return request.turn === undefined ? save() : request.turn.saving(checkpoint, save);
          },
          mark(checkpoint, as) {
            if (as === "expendable" && request.turn?.isAwaited(checkpoint)) return;
            checkpoints.mark(key.checkpointBase, checkpoint, as);
          },
          drop: (checkpoint) => checkpoints.drop(key.checkpointBase, checkpoint),
        },
      });
    const { command } = stage;
    const ended =
      command === undefined
        ? await runWorker(key.resolved!)
        : await runShellStage(workspace, {
            ...process,
            stage,
            command,
            key,
            staging,
            outputs,
            inputs: request.inputs,
            environment: request.environment,
          });
    if (ended.result !== "done") return { ...ended, ...executed() };
    const durationMs = clock.nowMs() - startedMs;
    if (ended.peakMemoryBytes !== undefined) measurements.peakMemoryBytes = ended.peakMemoryBytes;

    const moved = findMoved(workspace, request.watched);
    if (moved !== undefined)
      return {
        ...failed(
          `input ${moved} was changed while the stage ran, so its result cannot be kept`,
          "run it again once the file is still",
        ),
        isFinal: true,
      };
    const spoilt = await findSpoilt(workspace, stage, request.inputs);
    if (spoilt !== undefined)
      return {
        ...failed(
          `input ${spoilt} was changed in the store while the stage ran, so its result cannot be kept`,
          "a stage only reads its inputs, and writes to its outputs; what was spoilt is made again in the next run",
        ),
        isFinal: true,
      };
    for (const folder of Object.values(outputs)) ownFiles(files, layout, folder);
    const staged =
      command === undefined ? findWorkerOutputs(workspace, stage, outputs) : findShellOutputs(files, command, outputs);
    if ("problem" in staged) return failed(staged.problem, staged.help);
    for (const [name, { folder }] of Object.entries(staged.found)) {
      const wrong = findWrongReference(workspace, folder, request.inputs);
      if (wrong !== undefined) return failed(`output ${name} ${wrong}`);
    }
    const taken: Record<string, TracedOutput> = {};
    for (const [name, { folder, kind }] of Object.entries(staged.found)) {
      const stored = await workspace.artifacts.takeIn(folder, kind);
      taken[name] = { ...stored, facts: stage.facts[name] ?? {} };
    }
    const late = await findLate(workspace, taken);
    if (late !== undefined)
      return failed(
        `output ${late} was still being written when the stage had ended, so it cannot be kept`,
        "a stage ends only when everything it started has ended",
      );
    const ran = key.resolved && workspace.codeStore.keep(key.resolved);
    const trace: Trace = {
      format: "tfpipe/trace/1",
      fingerprint: key.fingerprint,
      manifest: key.manifest,
      code: ran === undefined ? key.code : { ...key.code, ran },
      outputs: taken,
      durationMs,
      metrics,
      measurements,
      warnings,
      ...(key.engine === undefined ? {} : { engine: engineRecord(key.engine) }),
      ...(hasCheckpoints ? { checkpointBase: key.checkpointBase } : {}),
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
    removeStaging(files, staging);
  }
}

/** What to say where the folders cannot be made. */
function makeFolders({ files }: Workspace, folders: readonly string[]): readonly [string, string] | undefined {
  try {
    for (const folder of folders) files.makeFolder(folder);
    return undefined;
  } catch (error) {
    const refusal = describeRefusal(error);
    if (refusal === undefined) throw error;
    return [`its outputs cannot be staged: ${refusal.message}`, refusal.help];
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

/**
 * Port of an input whose object in the store is not what it was: root can write into a file that is read-only, and
 * anybody can change the mode of what is theirs. What was spoilt is in quarantine then.
 */
async function findSpoilt(
  { artifacts }: Workspace,
  { inputs: sources }: PipelineStage,
  inputs: Readonly<Record<string, ArtifactPaths>>,
): Promise<string | undefined> {
  for (const [port, { digest, references }] of Object.entries(inputs)) {
    const from = sources[port]?.from;
    // Files of the user's are watched for themselves.
    const read = from === "path" ? [] : from === "instances" ? Object.values(references) : [{ digest }];
    for (const artifact of read) if ((await artifacts.inspect(artifact.digest)) !== undefined) return port;
  }
  return undefined;
}

/** Output into which somebody wrote after it had been digested. */
async function findLate(
  { artifacts }: Workspace,
  taken: Readonly<Record<string, TracedOutput>>,
): Promise<string | undefined> {
  for (const [name, { digest }] of Object.entries(taken))
    if ((await artifacts.inspect(digest)) !== undefined) return name;
  return undefined;
}

/** Each output as the stage left it, or what is wrong with one. */
function findWorkerOutputs(
  workspace: Workspace,
  stage: PipelineStage,
  outputs: Readonly<Record<string, string>>,
): StagedOutputs {
  const found: Record<string, StagedOutput> = {};
  for (const [name, { kind }] of Object.entries(stage.outputs)) {
    const folder = outputs[name]!;
    if (workspace.files.list(folder).length === 0)
      return {
        problem: `it ended without writing its output ${name}`,
        help: "a stage must put at least one file into each output folder",
      };
    found[name] = { folder, kind };
  }
  return { found };
}

/** What is wrong with the references of an output, in words that follow its name. */
function findWrongReference(
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
  let references: ReturnType<typeof parseReferences>;
  try {
    references = parseReferences(text);
  } catch {
    return `has a file ${REFERENCES_FILE} of its own; that name is for what \`outputs.x.reference\` writes`;
  }
  const unknown = Object.values(references).find(({ digest }) => !known.has(digest));
  return unknown === undefined ? undefined : `references ${unknown.digest}, which is not an input of the stage`;
}
