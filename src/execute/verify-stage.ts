/**
 * Runs a stage once more as it was when it made a result, and compares the two. All that the second execution writes goes
 * to a folder beside the store and is gone afterwards: store, visible outputs and what last succeeded stay as they are.
 */
import type { ArtifactDifference, ContentComparer } from "../cache/artifact-difference.ts";
import type { CheckpointStore } from "../cache/checkpoint-store.ts";
import { compareArtifacts } from "../cache/compare-artifacts.ts";
import { compareJson } from "../cache/compare-json.ts";
import { createOverlayStore, type OverlayStore } from "../cache/overlay-store.ts";
import type { Trace, TracedOutput } from "../cache/trace-store.ts";
import type { StageVerdict } from "../cache/verification.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import { executeStage } from "./execute-stage.ts";
import { NotReplayable, openRecordedStage, type RecordedStage, type RecordedStageRequest } from "./recorded-stage.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface VerifyStageRequest extends Omit<RecordedStageRequest, "trace"> {
  /** Of one fingerprint, newest first; of this class of machines one is preferred. */
  readonly traces: readonly Trace[];
  readonly comparer: ContentComparer;
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
  readonly onMessage: (message: WorkerNews) => void;
  /** Where the second execution writes, for a caller who wants what came out. Left out: a folder that is gone afterwards. */
  readonly overlay?: OverlayStore;
}

export interface VerifiedResult {
  /** The one that was compared with. */
  readonly trace: Trace;
  readonly verdict: StageVerdict;
  /** What came out this time, where that is another result of the same class of machines. */
  readonly other?: Trace;
}

export async function verifyStage(workspace: Workspace, request: VerifyStageRequest): Promise<VerifiedResult> {
  const [newest] = request.traces;
  if (newest === undefined) throw new Error(`stage ${request.stage.name} is verified without a trace`);
  let recorded: RecordedStage;
  try {
    recorded = await openRecordedStage(workspace, { ...request, trace: newest });
  } catch (error) {
    if (!(error instanceof NotReplayable)) throw error;
    const { message: reason, help } = error;
    return { trace: newest, verdict: { verdict: "unchecked", reason, ...(help === undefined ? {} : { help }) } };
  }
  const here = recorded.key.platformClass;
  const trace = request.traces.find(({ platformClass }) => platformClass === here) ?? newest;
  const overlay = request.overlay ?? createOverlayStore(workspace);
  try {
    return { trace, ...(await replay(workspace, request, { recorded, trace, overlay })) };
  } finally {
    if (request.overlay === undefined) overlay.remove();
  }
}

interface Replay {
  readonly recorded: RecordedStage;
  readonly trace: Trace;
  readonly overlay: OverlayStore;
}

async function replay(
  workspace: Workspace,
  { comparer, worker, environment, signal, killSignal, onMessage, stage }: VerifyStageRequest,
  { recorded, trace, overlay }: Replay,
): Promise<Omit<VerifiedResult, "trace">> {
  const over = new AbortController();
  const scratch: Workspace = { ...workspace, ...overlay, checkpoints: onlyOwn(overlay.checkpoints) };
  const ended = await executeStage(scratch, {
    ...recorded,
    runId: "verify",
    worker,
    environment,
    signal,
    onMessage,
    onOutput: () => {},
    onStart(kill) {
      const end = () => {
        kill();
        // The program ends with this.
        overlay.remove();
      };
      if (killSignal.aborted) end();
      else killSignal.addEventListener("abort", end, { once: true, signal: over.signal });
    },
  }).finally(() => over.abort());
  if (ended.result === "interrupted") return { verdict: { verdict: "interrupted" } };
  if (ended.result === "failed") return { verdict: { verdict: "failed", failure: ended.failure } };
  const other = ended.trace;
  const isOurs = trace.platformClass === other.platformClass;
  const replayed = {
    artifacts: Object.keys(trace.outputs).length,
    durationMs: other.durationMs,
    ...(isOurs ? {} : { madeOn: { recorded: trace.platformClass, here: other.platformClass } }),
  };
  const differences = await compareOutputs(workspace, overlay, comparer, trace, other);
  const metrics = compareJson(trace.metrics, other.metrics);
  const waived = stage.execution.nondeterministic;
  if (differences.length === 0 && metrics === undefined) return { verdict: { verdict: "identical", ...replayed } };
  return {
    verdict: {
      verdict: "differs",
      ...replayed,
      differences,
      ...(metrics === undefined ? {} : { metrics }),
      ...(waived === undefined ? {} : { waived }),
    },
    ...(isOurs ? { other } : {}),
  };
}

/** A replay begins at the beginning: it finds the checkpoints that it made itself, and no others. */
function onlyOwn(checkpoints: CheckpointStore): CheckpointStore {
  const own = new Set<string>();
  const isOwn = (base: string, key: JsonValue) => own.has(canonicalJson([base, key]));
  return {
    find: async (base, key, onDamaged) => (isOwn(base, key) ? checkpoints.find(base, key, onDamaged) : undefined),
    peek: async (base, key) => (isOwn(base, key) ? checkpoints.peek(base, key) : undefined),
    async save(base, key, folder, passing) {
      await checkpoints.save(base, key, folder, passing);
      own.add(canonicalJson([base, key]));
    },
    mark: checkpoints.mark,
    drop: checkpoints.drop,
    list: () => [],
  };
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
