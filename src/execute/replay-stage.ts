/**
 * Executes a stage once more as it was, whole or from one of its checkpoints to a later state. All that it writes goes to
 * an overlay of the store; of checkpoints it finds those that it made itself, and of the store's the ones it is to go on
 * from. Code that is another one by now is laid out in the overlay. What it ends with is the same as in a run: nobody tells
 * it that it is a replay.
 */
import { dirname } from "node:path";
import { type ArtifactPaths, openArtifact } from "../cache/artifact-store.ts";
import type { CheckpointStore } from "../cache/checkpoint-store.ts";
import { DamagedObject } from "../cache/object-store.ts";
import { createOverlayStore, type OverlayStore } from "../cache/overlay-store.ts";
import type { Stretch } from "../contract.ts";
import { linkPackages, openStoredCode } from "../identity/stored-code.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import { isRefusal } from "../platform/file-system.ts";
import { type ExecuteStageResult, executeStage } from "./execute-stage.ts";
import { NotReplayable, type RecordedStage } from "./recorded-stage.ts";
import type { StageKey } from "./stage-key.ts";
import type { WorkerNews } from "./worker-protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface ReplayRequest {
  readonly worker: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
  readonly onMessage: (message: WorkerNews) => void;
}

export interface ReplayedPart {
  /** Keys of the store's checkpoints that it finds. */
  readonly needs: readonly JsonValue[];
  /** It is stopped when it has saved this one, */
  readonly to?: JsonValue;
  /** or when its progress has come to this. */
  readonly stopAt?: number;
}

export interface StageReplay {
  readonly ended: ExecuteStageResult;
  /** `to`, or else the last checkpoint that it saved; it lies in the overlay. */
  readonly saved?: { readonly key: JsonValue; readonly checkpoint: ArtifactPaths };
}

/** What is made in it is gone when `work` is done, and when the program is ended at once. */
export async function withOverlay<T>(
  workspace: Workspace,
  killSignal: AbortSignal,
  work: (overlay: OverlayStore) => Promise<T>,
): Promise<T> {
  const overlay = createOverlayStore(workspace);
  killSignal.addEventListener("abort", overlay.remove, { once: true });
  try {
    return await work(overlay);
  } finally {
    killSignal.removeEventListener("abort", overlay.remove);
    overlay.remove();
  }
}

/** Throws `NotReplayable` where the code that it had cannot be laid out. */
export async function replayStage(
  workspace: Workspace,
  overlay: OverlayStore,
  recorded: RecordedStage,
  { worker, environment, signal, killSignal, onMessage }: ReplayRequest,
  { needs, to, stopAt }: ReplayedPart = { needs: [] },
): Promise<StageReplay> {
  const over = new AbortController();
  const reached = new AbortController();
  const key = await placeCode(workspace, overlay, recorded);
  const { checkpointBase } = key;
  let last: JsonValue | undefined;
  const checkpoints = limitCheckpoints(overlay.checkpoints, needs, (key) => {
    last = key;
    if (to !== undefined && canonicalJson(key) === canonicalJson(to)) reached.abort();
  });
  const ended = await executeStage(
    { ...workspace, ...overlay, checkpoints },
    {
      ...recorded,
      key,
      runId: "replay",
      worker,
      environment,
      signal: AbortSignal.any([signal, reached.signal]),
      onMessage,
      onOutput: () => {},
      ...(stopAt === undefined ? {} : { stopAt }),
      onStart(kill) {
        const end = () => {
          kill();
          // The program ends with this, and what it wrote until now is more than was there when the signal came.
          overlay.remove();
        };
        if (killSignal.aborted) end();
        else killSignal.addEventListener("abort", end, { once: true, signal: over.signal });
      },
    },
  ).finally(() => over.abort());
  // Until it heard that it was to stop, it may have gone on.
  const saved = reached.signal.aborted ? to : last;
  const checkpoint = saved === undefined ? undefined : await overlay.checkpoints.find(checkpointBase, saved);
  return { ended, ...(checkpoint === undefined ? {} : { saved: { key: saved!, checkpoint } }) };
}

/** Its key, with paths of what is to run. Many replays in one overlay share what was laid out. */
async function placeCode(
  { files, code }: Workspace,
  { codeStore, layout }: OverlayStore,
  { stage, key, earlierCode }: RecordedStage,
): Promise<StageKey> {
  if (earlierCode === undefined) return key;
  const { code: digest, packages } = key.manifest;
  const folder = layout.scratch(`code-${digest.slice(0, 16)}`);
  if (files.stat(folder) === undefined) {
    const current = code.resolve(stage.module ?? stage.type, key.engine?.name);
    try {
      await codeStore.layOut(earlierCode, folder);
      linkPackages(files, Object.keys(packages), dirname(current.engine ?? current.entry), folder);
    } catch (error) {
      if (!(error instanceof DamagedObject || isRefusal(error))) throw error;
      throw new NotReplayable(`the code that it had cannot be laid out: ${(error as Error).message}`);
    }
  }
  return { ...key, resolved: openStoredCode(earlierCode, folder, { packages, listing: key.code }) };
}

/** Finds what `needs` names and what was saved here; what is said to pass stays, so that it can be looked at. */
function limitCheckpoints(
  checkpoints: CheckpointStore,
  needs: readonly JsonValue[],
  onSaved: (key: JsonValue) => void,
): CheckpointStore {
  const visible = new Set(needs.map(canonicalJson));
  const isVisible = (key: JsonValue) => visible.has(canonicalJson(key));
  return {
    find: async (base, key, onDamaged) => (isVisible(key) ? checkpoints.find(base, key, onDamaged) : undefined),
    peek: async (base, key) => (isVisible(key) ? checkpoints.peek(base, key) : undefined),
    async save(base, key, folder) {
      await checkpoints.save(base, key, folder);
      visible.add(canonicalJson(key));
      onSaved(key);
    },
    mark: checkpoints.mark,
    drop: checkpoints.drop,
    list: () => [],
  };
}

/** What the stage consists of; empty where it is of one piece. */
export async function stretchesOf(
  { catalogue, checkpoints }: Pick<Workspace, "catalogue" | "checkpoints">,
  { stage, inputs }: Pick<RecordedStage, "stage" | "inputs">,
  checkpointBase: string,
): Promise<readonly Stretch[]> {
  const definition = catalogue.get(stage.module ?? stage.type)?.definition;
  if (definition?.stretches === undefined) return [];
  return definition.stretches({
    params: stage.params,
    inputs: Object.fromEntries(Object.entries(inputs).map(([port, paths]) => [port, openArtifact(paths)])),
    checkpoints: {
      async find(key) {
        const found = await checkpoints.peek(checkpointBase, key);
        return found && openArtifact(found);
      },
    },
  });
}
