/**
 * Where a training can go on from: the last checkpoint of its chain that is there.
 *
 * Looked for from the last epoch backwards, since links may have been dropped in between. A chain can also reach further
 * than this training will (fewer epochs, an early stop that did not exist then): then the link where it ends is wanted,
 * and the records in a later one say which that is.
 */
import type { JsonValue } from "../../json.ts";
import { readCheckpointState, type StoredFolder } from "../checkpoint/training-checkpoint.ts";
import type { EpochChain } from "./epoch-chain.ts";
import { bestEpoch, type EarlyStop, earlyStopEpoch } from "./history.ts";
import { type TrainingState, trainingStateFromJson } from "./training-state.ts";

/** Folders that outlive the process, by key: equal keys, equal content. */
export interface CheckpointStore {
  find(key: JsonValue): Promise<StoredFolder | undefined>;
  save(key: JsonValue, write: (folder: string) => Promise<void>): Promise<void>;
  drop(key: JsonValue): Promise<void>;
}

export interface ResumePoint {
  readonly state: TrainingState;
  readonly folder: StoredFolder;
  /** The link of the best epoch so far, where it was asked for. */
  readonly best: StoredFolder | undefined;
}

export interface ResumeSearch {
  readonly chain: EpochChain;
  readonly checkpoints: CheckpointStore;
  readonly epochs: number;
  readonly iterationsPerEpoch: number;
  readonly earlyStop: EarlyStop | undefined;
  /** The best epoch's link must be there too. */
  readonly wantBest: boolean;
}

export async function findResumePoint(search: ResumeSearch): Promise<ResumePoint | undefined> {
  const { chain, checkpoints, iterationsPerEpoch, earlyStop, wantBest } = search;
  let epoch = search.epochs;
  let within = false;
  while (epoch > 0) {
    const folder = await checkpoints.find(within ? chain.within(epoch) : chain.link(epoch));
    const done = within ? epoch - 1 : epoch;
    if (folder !== undefined) {
      const state = trainingStateFromJson(readCheckpointState(folder));
      const stop = earlyStopEpoch(earlyStop, { ...state, iterationsPerEpoch });
      if (stop !== undefined && (stop < done || within)) {
        epoch = stop;
        within = false;
        continue;
      }
      const best = bestEpoch(state.epochs);
      const bestFolder = wantBest && best > 0 ? await checkpoints.find(chain.link(best)) : undefined;
      if (!wantBest || best === 0 || bestFolder !== undefined) return { state, folder, best: bestFolder };
    }
    if (within) epoch--;
    within = !within;
  }
  return undefined;
}
