/**
 * Two executions of a stage of stretches, such as trainings, brought to the earliest state in which they differ: by the
 * checkpoints that are kept of both, and by executing both once more from where they were still equal, to one step and
 * then another, until the step after which they part is found. Beside the store, as a verification is.
 */
import type { ArtifactDifference, ContentComparer } from "../cache/artifact-difference.ts";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import type { ReplayTraining, TrainingReplay, TrainingSide } from "../cache/bisect-runs.ts";
import { compareArtifacts } from "../cache/compare-artifacts.ts";
import type { TrainingParting } from "../cache/compare-histories.ts";
import type { OverlayStore } from "../cache/overlay-store.ts";
import type { Stretch } from "../contract.ts";
import type { Listing } from "../identity/listing.ts";
import type { JsonValue } from "../json.ts";
import { NotReplayable, openTracedStage, type RecordedStage, readTracedStage } from "./recorded-stage.ts";
import { type ReplayRequest, replayStage, stretchesOf, withOverlay } from "./replay-stage.ts";
import type { Workspace } from "./workspace.ts";

export interface ReplayTrainingRequest extends ReplayRequest {
  readonly comparer: ContentComparer;
  /** Two executions up to here are about to begin. */
  readonly onProbe: (epoch: number, minibatch: number) => void;
}

/** The search cannot go on; the message says why. */
class Stopped extends Error {}

interface Side {
  readonly base: string;
  readonly stretches: readonly Stretch[];
}

export function createTrainingReplay(workspace: Workspace, request: ReplayTrainingRequest): ReplayTraining {
  return async (before, after, training) => {
    if (training?.incomparable !== undefined) return undefined;
    try {
      return await search(workspace, request, [before, after], training);
    } catch (error) {
      if (!(error instanceof Stopped || error instanceof NotReplayable)) throw error;
      return areApart(training) ? { stopped: error.message } : undefined;
    }
  };
}

/** Not only in how far they go. */
function areApart(training: TrainingParting | undefined): training is TrainingParting {
  return training?.minibatch !== undefined || training?.measured !== undefined;
}

async function search(
  workspace: Workspace,
  request: ReplayTrainingRequest,
  sides: readonly [TrainingSide, TrainingSide],
  training: TrainingParting | undefined,
): Promise<TrainingReplay | undefined> {
  const [a, b] = [await openSide(workspace, sides[0]), await openSide(workspace, sides[1])];
  const perEpoch = a.stretches[0]?.done;
  if (perEpoch === undefined || b.stretches[0]?.done !== perEpoch) return undefined;
  const first = await firstDifferingCheckpoint(workspace, request.comparer, a, b);
  const shown = areApart(training) ? training : undefined;
  if (first === undefined && shown === undefined) return undefined;
  const found = first === undefined ? {} : { checkpoint: { name: first.name, difference: first.difference } };
  const never = Number.POSITIVE_INFINITY;
  const epoch = 1 + Math.min(shown?.equalEpochs ?? never, first?.index ?? never);
  const loss = shown?.equalEpochs === epoch - 1 ? shown.minibatch : undefined;
  const latest = loss?.minibatch ?? perEpoch;
  try {
    const replayed = await findStep(workspace, request, sides, [a, b], { epoch, latest, perEpoch });
    return { ...found, replayed };
  } catch (error) {
    if (!(error instanceof Stopped || error instanceof NotReplayable)) throw error;
    return { ...found, stopped: error.message };
  }
}

async function openSide(workspace: Workspace, { record, trace }: TrainingSide): Promise<Side> {
  const read = readTracedStage(workspace, record, trace);
  const base = trace.checkpointBase ?? "";
  return { base, stretches: await stretchesOf(workspace, read, base) };
}

async function firstDifferingCheckpoint(workspace: Workspace, comparer: ContentComparer, a: Side, b: Side) {
  const { artifacts, checkpoints, layout } = workspace;
  for (let index = 0; index < Math.min(a.stretches.length, b.stretches.length); index++) {
    const { name } = a.stretches[index]!;
    const keys = [a, b].map((side) => [side.base, side.stretches[index]!.to] as const);
    const [old, now] = await Promise.all(keys.map(([base, to]) => checkpoints.peek(base, to)));
    if (old === undefined || now === undefined || old.digest === now.digest) continue;
    const damaged = (await artifacts.inspect(old.digest, true)) ?? (await artifacts.inspect(now.digest, true));
    if (damaged !== undefined) continue;
    const listing = (digest: string) => artifacts.listing(digest);
    const difference = await compareStates(workspace, comparer, name, [old, now], { listing, at: layout.object });
    return { index, name, difference };
  }
  return undefined;
}

interface Opened {
  readonly recorded: RecordedStage;
  readonly needs: readonly JsonValue[];
}

/** The state after which minibatch of `epoch` is the first that differs; `latest` is one whose state does, if they do at all. */
async function findStep(
  workspace: Workspace,
  request: ReplayTrainingRequest,
  sides: readonly [TrainingSide, TrainingSide],
  [a, b]: readonly [Side, Side],
  { epoch, latest, perEpoch }: { readonly epoch: number; readonly latest: number; readonly perEpoch: number },
): Promise<NonNullable<TrainingReplay["replayed"]>> {
  const opened: readonly Opened[] = [
    await openReplay(workspace, "first", sides[0], a, epoch),
    await openReplay(workspace, "second", sides[1], b, epoch),
  ];
  return withOverlay(workspace, request.killSignal, async (overlay) => {
    const states = new Map<number, readonly [ArtifactPaths, ArtifactPaths]>();
    const statesAfter = async (minibatch: number) => {
      const known = states.get(minibatch);
      if (known !== undefined) return known;
      request.onProbe(epoch, minibatch);
      const stopAt = (epoch - 1) * perEpoch + minibatch;
      const [old, now] = [
        await stateAt(workspace, overlay, request, opened[0]!, stopAt),
        await stateAt(workspace, overlay, request, opened[1]!, stopAt),
      ];
      states.set(minibatch, [old, now]);
      return [old, now] as const;
    };
    const isApartAfter = async (minibatch: number) => {
      const [old, now] = await statesAfter(minibatch);
      return old.digest !== now.digest;
    };
    // Equal after `low`, apart after `high`. A loss that differs tells of the weights before it, so most often one step less is it.
    let [low, high] = [0, latest];
    if (high > 1) {
      if (await isApartAfter(high - 1)) high--;
      else low = high - 1;
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (await isApartAfter(middle)) high = middle;
      else low = middle;
    }
    const [old, now] = await statesAfter(high);
    if (old.digest === now.digest)
      throw new Stopped(
        `executed again on this machine, both give one and the same state after minibatch ${high} of epoch ${epoch}`,
      );
    const name = `state after minibatch ${high}`;
    const listing = (digest: string) => overlay.artifacts.listing(digest);
    const at = overlay.layout.object;
    const difference = await compareStates(workspace, request.comparer, name, [old, now], { listing, at });
    return { epoch, minibatch: high, of: perEpoch, difference };
  });
}

/** With the checkpoints of the nearest stretch that can be begun: of the first one always. */
async function openReplay(
  workspace: Workspace,
  which: "first" | "second",
  { record, trace }: TrainingSide,
  { base, stretches }: Side,
  epoch: number,
): Promise<Opened> {
  const recorded = await openTracedStage(workspace, record, trace).catch((error: unknown) => {
    if (!(error instanceof NotReplayable)) throw error;
    throw new Stopped(`the ${which} cannot be executed again here: ${error.message}`);
  });
  for (let at = Math.min(epoch, stretches.length) - 1; at >= 0; at--) {
    const { needs } = stretches[at]!;
    let areThere = true;
    for (const key of needs) areThere &&= (await workspace.checkpoints.find(base, key)) !== undefined;
    if (areThere) return { recorded, needs };
  }
  throw new Stopped("there is nothing to begin at");
}

async function stateAt(
  workspace: Workspace,
  overlay: OverlayStore,
  request: ReplayRequest,
  { recorded, needs }: Opened,
  stopAt: number,
): Promise<ArtifactPaths> {
  const { ended, saved } = await replayStage(workspace, overlay, recorded, request, { needs, stopAt });
  if (request.signal.aborted) throw new Stopped("it was interrupted");
  if (ended.result === "failed") throw new Stopped(`it failed this time: ${ended.failure.message}`);
  if (saved === undefined) throw new Stopped("it ended before it came to that minibatch");
  return saved.checkpoint;
}

async function compareStates(
  { files }: Workspace,
  comparer: ContentComparer,
  output: string,
  [before, after]: readonly [ArtifactPaths, ArtifactPaths],
  {
    listing,
    at,
  }: { readonly listing: (digest: string) => Listing | undefined; readonly at: (digest: string) => string },
): Promise<ArtifactDifference> {
  const [old, now] = [listing(before.digest), listing(after.digest)];
  if (old === undefined || now === undefined) throw new Stopped("the listing of a checkpoint is lost");
  const difference = await compareArtifacts(
    { files, comparer },
    { output, kind: "checkpoint" },
    { digest: before.digest, listing: old, at },
    { digest: after.digest, listing: now, at },
  );
  return difference!;
}
