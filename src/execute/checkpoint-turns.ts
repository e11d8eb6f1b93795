/**
 * Of stages that would make the same checkpoint one makes it: trainings that agree up to epoch k train once to k, be they
 * instances of one matrix or of other pipelines in other processes. A stage that runs has the lock of the checkpoint it
 * makes next. Who would make that one too waits, without processors, until it is there or its maker is gone, and then sees
 * anew where it goes on from.
 *
 * What must stay true: the next lock is taken before a checkpoint is saved, so nobody who waited for the one overtakes its
 * maker to the next. Who runs waits for no lock, so nobody waits in a circle. Two makers at once are harmless.
 */
import type { Foresight } from "../contract.ts";
import { digestBytes } from "../identity/digest.ts";
import { canonicalJson, type JsonValue } from "../json.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { describeHolder, type HeldLock, type LockHolder } from "../platform/work-lock.ts";
import { foreseeStage } from "./foresee-stage.ts";
import type { StageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

/** What the stage goes on from is looked up there. */
export type Foreseeing = Pick<Workspace, "artifacts" | "catalogue" | "checkpoints">;

export interface CheckpointTurns {
  /** Resolves when nobody makes what the stage would make first, or when the run is over. */
  take(stage: PipelineStage, key: StageKey, workspace: Foreseeing): Promise<CheckpointTurn>;
}

export interface CheckpointTurn {
  /** Of the moment when it began; undefined of a stage that foresees nothing. */
  readonly foresight: Foresight | undefined;
  /** Around the saving of each checkpoint. */
  saving(key: JsonValue, save: () => Promise<void>): Promise<void>;
  end(): void;
}

export interface CheckpointTurnsOptions {
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Takes a lock, or says who has it; undefined where none can be written. */
  readonly tryLock: (name: string) => HeldLock | { readonly holder: LockHolder } | undefined;
  /** Nothing more is to be started. */
  readonly isOver: () => boolean;
  readonly signal: AbortSignal;
  readonly onWait: (stage: PipelineStage, holder: string) => void;
}

/** A lock that this very run has: who waits for it need not look at the disk. */
interface OwnLock {
  readonly name: string;
  readonly stage: string;
  readonly released: Promise<void>;
  release(): void;
}

const POLL_MS = 200;

/** Of one run. */
export function createCheckpointTurns(options: CheckpointTurnsOptions): CheckpointTurns {
  const { isOver, signal, onWait, wait } = options;
  const own = new Map<string, OwnLock>();

  /** The name of whoever has it. */
  const tryTake = (name: string, stage: string): OwnLock | string => {
    const held = own.get(name);
    if (held !== undefined) return held.stage;
    const attempt = options.tryLock(name);
    if (attempt !== undefined && "holder" in attempt) return describeHolder(attempt.holder);
    let resolve = () => {};
    const released = new Promise<void>((done) => {
      resolve = done;
    });
    const release = () => {
      own.delete(name);
      attempt?.release();
      resolve();
    };
    const lock: OwnLock = { name, stage, released, release };
    own.set(name, lock);
    return lock;
  };

  /** Undefined where the run was over first. */
  const waitFor = async (name: string, stage: PipelineStage): Promise<OwnLock | undefined> => {
    for (let told: string | undefined; !isOver(); ) {
      const taken = tryTake(name, stage.name);
      if (typeof taken !== "string") return taken;
      if (taken !== told) onWait(stage, taken);
      told = taken;
      await (own.get(name)?.released ?? wait(POLL_MS, signal));
    }
    return undefined;
  };

  return {
    async take(stage, key, workspace) {
      let lock: OwnLock | undefined;
      try {
        for (;;) {
          const foresight = await foreseeStage(workspace, stage, key);
          const makes = foresight?.makes ?? [];
          const names = makes.map((made) => lockName(key, made));
          const turn = (first: OwnLock | undefined) => turnOf({ foresight, names, first, stage: stage.name, key });
          if (names[0] === lock?.name) return turn(lock);
          lock?.release();
          lock = names[0] === undefined ? undefined : await waitFor(names[0], stage);
          // Saved between our look and our lock, it is seen by looking again.
          if (lock === undefined || (await workspace.checkpoints.peek(key.checkpointBase, makes[0]!)) === undefined)
            return turn(lock);
        }
      } catch (error) {
        lock?.release();
        throw error;
      }
    },
  };

  function turnOf({ foresight, names, first, stage, key }: Begun): CheckpointTurn {
    let lock = first;
    let hasEnded = false;
    return {
      foresight,
      async saving(checkpoint, save) {
        const place = names.indexOf(lockName(key, checkpoint));
        const following = place < 0 ? undefined : names[place + 1];
        const next = following === undefined ? undefined : tryTake(following, stage);
        try {
          await save();
        } finally {
          if (place >= 0) {
            lock?.release();
            // Another maker's, which is harmless.
            lock = typeof next === "string" ? undefined : next;
            if (hasEnded) this.end();
          }
        }
      },
      end() {
        hasEnded = true;
        lock?.release();
        lock = undefined;
      },
    };
  }
}

interface Begun {
  readonly foresight: Foresight | undefined;
  /** Of the locks of all that it will make, in order. */
  readonly names: readonly string[];
  /** The first of them, where it has that. */
  readonly first: OwnLock | undefined;
  readonly stage: string;
  readonly key: StageKey;
}

/** Not a digest that a fingerprint could be: their locks lie in one folder. */
function lockName({ checkpointBase }: StageKey, checkpoint: JsonValue): string {
  return digestBytes(canonicalJson(["tfpipe/checkpoint-turn/1", checkpointBase, checkpoint]));
}
