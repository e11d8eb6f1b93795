/**
 * Runs a stage once more as it was when it made a result, and compares the two: whole, or of a stage that leaves
 * checkpoints one stretch drawn at random, from its predecessor. All that the second execution writes goes to a folder
 * beside the store and is gone afterwards: store, visible outputs and what last succeeded stay as they are.
 */
import type { ArtifactDifference, ContentComparer } from "../cache/artifact-difference.ts";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { compareArtifacts } from "../cache/compare-artifacts.ts";
import { compareJson } from "../cache/compare-json.ts";
import type { OverlayStore } from "../cache/overlay-store.ts";
import type { Trace, TracedOutput } from "../cache/trace-store.ts";
import type { Replayed, StageVerdict } from "../cache/verification.ts";
import type { Stretch } from "../contract.ts";
import { canonicalJson } from "../json.ts";
import type { ExecuteStageResult } from "./execute-stage.ts";
import { NotReplayable, openRecordedStage, type RecordedStage, type RecordedStageRequest } from "./recorded-stage.ts";
import { type ReplayRequest, replayStage, stretchesOf, withOverlay } from "./replay-stage.ts";
import type { Workspace } from "./workspace.ts";

export interface VerifyStageRequest extends Omit<RecordedStageRequest, "trace">, ReplayRequest {
  /** Of one fingerprint, newest first; of this class of machines one is preferred. */
  readonly traces: readonly Trace[];
  readonly comparer: ContentComparer;
  /** In which order so many stretches are tried, where one of them is enough. Left out: the whole stage runs. */
  readonly draw?: (count: number) => Iterable<number>;
  /** Where the second execution writes, for a caller who wants what came out. Left out: a folder that is gone afterwards. */
  readonly overlay?: OverlayStore;
}

export interface VerifiedResult {
  /** The one that was compared with. */
  readonly trace: Trace;
  readonly verdict: StageVerdict;
  /** Two results of one key and class of machines: the recorded one, of a stretch its end, and this time's. */
  readonly disagreeing?: { readonly before: Trace; readonly after: Trace };
}

export async function verifyStage(workspace: Workspace, request: VerifyStageRequest): Promise<VerifiedResult> {
  const [newest] = request.traces;
  if (newest === undefined) throw new Error(`stage ${request.stage.name} is verified without a trace`);
  try {
    return await verifyRecorded(workspace, request, await openRecordedStage(workspace, { ...request, trace: newest }));
  } catch (error) {
    if (!(error instanceof NotReplayable)) throw error;
    const { message: reason, help } = error;
    return { trace: newest, verdict: { verdict: "unchecked", reason, ...(help === undefined ? {} : { help }) } };
  }
}

async function verifyRecorded(
  workspace: Workspace,
  request: VerifyStageRequest,
  recorded: RecordedStage,
): Promise<VerifiedResult> {
  const here = recorded.key.platformClass;
  const trace = request.traces.find(({ platformClass }) => platformClass === here) ?? request.traces[0]!;
  const drawn = await drawStretch(workspace, recorded, request.draw);
  const verify = async (overlay: OverlayStore): Promise<VerifiedResult> => {
    const parts = { recorded, trace, overlay };
    const found =
      drawn?.stretch === undefined
        ? await verifyWhole(workspace, request, parts)
        : await verifyStretch(workspace, request, parts, drawn.stretch);
    const { verdict } = found;
    if (!("artifacts" in verdict)) return { trace, ...found };
    const earlierCode = recorded.earlierCode === undefined ? {} : { earlierCode: true as const };
    const whole = drawn?.whole === undefined ? {} : { whole: drawn.whole };
    return { trace, ...found, verdict: { ...verdict, ...earlierCode, ...whole } };
  };
  if (request.overlay !== undefined) return verify(request.overlay);
  return withOverlay(workspace, request.killSignal, verify);
}

interface Replay {
  readonly recorded: RecordedStage;
  readonly trace: Trace;
  readonly overlay: OverlayStore;
}

type Found = Omit<VerifiedResult, "trace">;

async function verifyWhole(
  workspace: Workspace,
  request: VerifyStageRequest,
  { recorded, trace, overlay }: Replay,
): Promise<Found> {
  const { ended } = await replayStage(workspace, overlay, recorded, request);
  if (ended.result !== "ran") return { verdict: verdictOfEnd(ended) };
  const after = ended.trace;
  const isOurs = trace.platformClass === after.platformClass;
  const replayed: Replayed = {
    artifacts: Object.keys(trace.outputs).length,
    durationMs: after.durationMs,
    ...(isOurs ? {} : { madeOn: { recorded: trace.platformClass, here: after.platformClass } }),
  };
  const differences = await compareOutputs(workspace, overlay, request.comparer, trace, after);
  const metrics = compareJson(trace.metrics, after.metrics);
  if (differences.length === 0 && metrics === undefined) return { verdict: { verdict: "identical", ...replayed } };
  const { nondeterministic: waived } = request.stage.execution;
  return {
    verdict: {
      verdict: "differs",
      ...replayed,
      differences,
      ...(metrics === undefined ? {} : { metrics }),
      ...(waived === undefined ? {} : { waived }),
    },
    ...(isOurs ? { disagreeing: { before: trace, after } } : {}),
  };
}

function verdictOfEnd(ended: Exclude<ExecuteStageResult, { readonly result: "ran" }>): StageVerdict {
  if (ended.result === "interrupted") return { verdict: "interrupted" };
  return { verdict: "failed", failure: ended.failure };
}

interface SoundStretch extends Stretch {
  /** What lies under `to`. */
  readonly end: ArtifactPaths;
  /** The stretch before it. */
  readonly after: string | undefined;
}

const NO_STRETCH = "no part of it has both its own checkpoint and the one before in the store";

/** The first of the draw whose checkpoints are all there and sound. Undefined where the stage is of one piece, or is to run whole. */
async function drawStretch(
  workspace: Workspace,
  recorded: RecordedStage,
  draw: VerifyStageRequest["draw"],
): Promise<{ readonly stretch?: SoundStretch; readonly whole?: string } | undefined> {
  if (draw === undefined) return undefined;
  const { checkpoints } = workspace;
  const { checkpointBase } = recorded.key;
  const stretches = await stretchesOf(workspace, recorded, checkpointBase);
  if (stretches.length === 0) return undefined;
  const there: number[] = [];
  for (const [at, { needs, to }] of stretches.entries()) {
    const found = await Promise.all([...needs, to].map((key) => checkpoints.peek(checkpointBase, key)));
    if (found.every((one) => one !== undefined)) there.push(at);
  }
  for (const one of draw(there.length)) {
    const at = there[one]!;
    const stretch = stretches[at]!;
    const found: (ArtifactPaths | undefined)[] = [];
    for (const key of [...stretch.needs, stretch.to]) found.push(await checkpoints.find(checkpointBase, key));
    const end = found.at(-1);
    if (end !== undefined && found.every((paths) => paths !== undefined))
      return { stretch: { ...stretch, end, after: stretches[at - 1]?.name } };
  }
  return { whole: NO_STRETCH };
}

/** Checkpoints are of one class of machines: a difference is never due to another one. */
async function verifyStretch(
  workspace: Workspace,
  request: VerifyStageRequest,
  { recorded, trace, overlay }: Replay,
  stretch: SoundStretch,
): Promise<Found> {
  const { name, after, end, needs, to } = stretch;
  const startMs = workspace.clock.nowMs();
  const { ended, saved } = await replayStage(workspace, overlay, recorded, request, { needs, to });
  // It was stopped by us where it had come to its end.
  const isThere = saved !== undefined && canonicalJson(saved.key) === canonicalJson(to);
  if (!isThere) {
    if (ended.result !== "ran") return { verdict: verdictOfEnd(ended) };
    const message = `it ended without saving ${name} again`;
    return { verdict: { verdict: "failed", failure: { message, lastOutput: [] } } };
  }
  const { platformClass } = recorded.key;
  const replayed: Replayed = {
    artifacts: 1,
    durationMs: workspace.clock.nowMs() - startMs,
    stretch: { name, ...(after === undefined ? {} : { after }) },
  };
  const [old, now] = [end, saved.checkpoint].map(({ digest }) => digest) as [string, string];
  if (old === now) return { verdict: { verdict: "identical", ...replayed } };
  const outputs = { before: asOutput(end), after: asOutput(saved.checkpoint) };
  const difference = await compareOutput(workspace, overlay, request.comparer, { output: name, ...outputs });
  const { nondeterministic: waived } = request.stage.execution;
  const resultOf = (output: TracedOutput, runId: string): Trace => {
    return { ...trace, platformClass, outputs: { [name]: output }, metrics: {}, runId };
  };
  return {
    verdict: {
      verdict: "differs",
      ...replayed,
      differences: [difference],
      ...(waived === undefined ? {} : { waived }),
    },
    disagreeing: { before: resultOf(outputs.before, trace.runId), after: resultOf(outputs.after, "replay") },
  };
}

function asOutput({ kind, digest, files }: ArtifactPaths): TracedOutput {
  return { kind, digest, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), facts: {} };
}

async function compareOutputs(
  workspace: Workspace,
  overlay: OverlayStore,
  comparer: ContentComparer,
  trace: Trace,
  other: Trace,
): Promise<readonly ArtifactDifference[]> {
  const differences: ArtifactDifference[] = [];
  for (const [output, before] of Object.entries(trace.outputs)) {
    const after = other.outputs[output]!;
    if (after.digest !== before.digest)
      differences.push(await compareOutput(workspace, overlay, comparer, { output, before, after }));
  }
  return differences;
}

async function compareOutput(
  { files, artifacts, layout }: Workspace,
  overlay: OverlayStore,
  comparer: ContentComparer,
  { output, before, after }: { readonly output: string; readonly before: TracedOutput; readonly after: TracedOutput },
): Promise<ArtifactDifference> {
  const named = { output, kind: before.kind };
  const damaged = await artifacts.inspect(before.digest, true);
  const [old, now] = [artifacts.listing(before.digest), overlay.artifacts.listing(after.digest)];
  if (damaged !== undefined || old === undefined || now === undefined) {
    const unknown = damaged?.message ?? "the listing of one of them is lost";
    return { ...named, before: before.digest, after: after.digest, files: 0, differing: [], unknown };
  }
  const difference = await compareArtifacts(
    { files, comparer },
    named,
    { digest: before.digest, listing: old, at: layout.object },
    { digest: after.digest, listing: now, at: overlay.layout.object },
  );
  return difference!;
}
