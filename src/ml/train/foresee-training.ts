/** What a training would go on from, told before it runs, by the search that it will make itself. */
import type { JsonValue } from "../../json.ts";
import { stepsPerEpoch } from "../optim/optimizer-step.ts";
import { epochChain } from "./epoch-chain.ts";
import { bestEpoch, earlyStopEpoch } from "./history.ts";
import { type CheckpointStore, findResumePoint } from "./resume-point.ts";
import type { TrainingSettings } from "./training.ts";

export interface ForeseenTraining {
  readonly settings: Pick<
    TrainingSettings,
    "epochs" | "accumulateSteps" | "schedule" | "optimizer" | "earlyStop" | "select"
  >;
  readonly batchesPerEpoch: number;
  readonly checkpoints: Pick<CheckpointStore, "find">;
}

/** The links of a training, the newest that is there, and whether it had enough by then. */
export async function findForeseen({ settings, batchesPerEpoch, checkpoints }: ForeseenTraining) {
  const { epochs, accumulateSteps, schedule, optimizer, earlyStop, select } = settings;
  const length = { epochs, stepsPerEpoch: stepsPerEpoch(batchesPerEpoch, accumulateSteps) };
  const chain = epochChain(schedule, optimizer.learningRate, length);
  const found = await findResumePoint({
    chain,
    checkpoints,
    epochs,
    iterationsPerEpoch: batchesPerEpoch,
    earlyStop,
    wantBest: select === "best",
    accept: () => undefined,
  });
  const hasStopped =
    found !== undefined &&
    earlyStopEpoch(earlyStop, { ...found.state, iterationsPerEpoch: batchesPerEpoch }) !== undefined;
  return { chain, found, hasStopped };
}

/** `text` is a clause: `resumes after epoch 10: trains 5 of 15`; `makes` are the links that are left to train, `needs` those it goes on from. */
export async function foreseeTraining(training: ForeseenTraining): Promise<{
  readonly text: string;
  readonly found: boolean;
  readonly makes?: readonly JsonValue[];
  readonly needs?: readonly JsonValue[];
}> {
  const { batchesPerEpoch, settings } = training;
  const { epochs, earlyStop, select } = settings;
  const { chain, found, hasStopped } = await findForeseen(training);
  const linksAfter = (done: number) => Array.from({ length: epochs - done }, (_, i) => chain.link(done + 1 + i));
  if (found === undefined)
    return { text: `no epoch of it is in the store: trains all ${epochs}`, found: false, makes: linksAfter(0) };
  const { state } = found;
  const done = state.epochs.length;
  if (done === epochs || hasStopped) {
    const its = done === 1 ? "its one epoch is" : `its ${done} epochs are`;
    return { text: `${its} in the store: trains none`, found: true };
  }
  const from =
    state.nextBatch > 0
      ? `in epoch ${state.epoch}, after batch ${state.nextBatch} of ${batchesPerEpoch}`
      : `after epoch ${done}`;
  const most = earlyStop === undefined ? "" : "at most ";
  const text = `resumes ${from}: trains ${most}${epochs - done} of ${epochs}`;
  const best = select === "best" ? bestEpoch(state.epochs) : 0;
  const needs = [
    state.nextBatch > 0 ? chain.within(state.epoch) : chain.link(done),
    ...(best > 0 ? [chain.link(best)] : []),
  ];
  return { text, found: true, makes: linksAfter(done), needs };
}
