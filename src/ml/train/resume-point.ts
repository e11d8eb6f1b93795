/**
 * Where a training can go on from: the last checkpoint of its chain that is there and can be used.
 *
 * Looked for from the last epoch backwards, since links may have been dropped in between. A chain can also reach further
 * than this training will (fewer epochs, an early stop that did not exist then): then the link where it ends is wanted,
 * and the records in a later one say which that is.
 */
import type { JsonValue } from "../../json.ts";
import { CheckpointRefused, readCheckpointState, type StoredFolder } from "../checkpoint/training-checkpoint.ts";
import type { EpochChain } from "./epoch-chain.ts";
import { bestEpoch, type EarlyStop, earlyStopEpoch } from "./history.ts";
import { type TrainingState, trainingStateFromJson } from "./training-state.ts";

/** Folders that outlive the process, by key: equal keys, equal content. */
export interface CheckpointStore {
  find(key: JsonValue): Promise<StoredFolder | undefined>;
  /** `passing`: to be replaced or dropped soon, and its bytes with it. */
  save(key: JsonValue, write: (folder: string) => Promise<void>, use?: { readonly passing: boolean }): Promise<void>;
  /** What is `expendable` is the first to go when the store is tidied up. */
  mark(key: JsonValue, as: "kept" | "expendable"): Promise<void>;
  drop(key: JsonValue): Promise<void>;
}

export interface ResumePoint<Accepted> {
  readonly state: TrainingState;
  /** What `accept` made of it. */
  readonly accepted: Accepted;
}

export interface ResumeSearch<Accepted> {
  readonly chain: EpochChain;
  readonly checkpoints: Pick<CheckpointStore, "find">;
  readonly epochs: number;
  readonly iterationsPerEpoch: number;
  readonly earlyStop: EarlyStop | undefined;
  /** The best epoch's link must be there too. */
  readonly wantBest: boolean;
  /**
   * Throws `CheckpointRefused` where a training cannot go on from `folder`; then an earlier one is looked for. `best` is
   * the link of the best epoch so far, where it is wanted and there was one.
   */
  accept(folder: StoredFolder, best: StoredFolder | undefined): Accepted;
  /** Told of what was refused, and why. */
  readonly onRefused?: ((line: string) => void) | undefined;
}

export async function findResumePoint<Accepted>(
  search: ResumeSearch<Accepted>,
): Promise<ResumePoint<Accepted> | undefined> {
  const { chain, checkpoints, iterationsPerEpoch, earlyStop, wantBest } = search;
  let epoch = search.epochs;
  let within = false;
  while (epoch > 0) {
    const folder = await checkpoints.find(within ? chain.within(epoch) : chain.link(epoch));
    const done = within ? epoch - 1 : epoch;
    if (folder !== undefined) {
      try {
        const state = trainingStateFromJson(readCheckpointState(folder), {
          epoch: done + 1,
          atStart: !within,
          iterationsPerEpoch,
          hasPlateau: chain.initialPlateau !== null,
        });
        const stop = earlyStopEpoch(earlyStop, { ...state, iterationsPerEpoch });
        if (stop !== undefined && (stop < done || within)) {
          epoch = stop;
          within = false;
          continue;
        }
        const best = wantBest ? bestEpoch(state.epochs) : 0;
        const bestFolder = best > 0 ? await checkpoints.find(chain.link(best)) : undefined;
        if (best === 0 || bestFolder !== undefined) return { state, accepted: search.accept(folder, bestFolder) };
      } catch (error) {
        if (!(error instanceof CheckpointRefused)) throw error;
        const which = within ? `within epoch ${epoch}` : `of epoch ${epoch}`;
        search.onRefused?.(`the checkpoint ${which} cannot be used: ${error.message}`);
      }
    }
    if (within) epoch--;
    within = !within;
  }
  return undefined;
}
