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
  /** Whether another stage of the run has yet to go on from it, so that no collector may have it first. */
  isAwaited(key: JsonValue): boolean;
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
  /** More than once does nothing. */
  release(): void;
}

const POLL_MS = 200;

/** Of one run. */
export function createCheckpointTurns(options: CheckpointTurnsOptions): CheckpointTurns {
  const { isOver, signal, onWait, wait } = options;
  const own = new Map<string, OwnLock>();
  /** Of stages that wait, or have saved nothing yet. */
  const waiting = new Set<Outlook>();

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
    const lock: OwnLock = {
      name,
      stage,
      released,
      release() {
        if (own.get(name) !== lock) return;
        own.delete(name);
        attempt?.release();
        resolve();
      },
    };
    own.set(name, lock);
    return lock;
  };

  /** Undefined where the run was over first. */
  const waitFor = async (name: string, { stage, tell }: Teller): Promise<OwnLock | undefined> => {
    while (!isOver()) {
      const taken = tryTake(name, stage.name);
      if (typeof taken !== "string") return taken;
      tell(taken);
      await (own.get(name)?.released ?? wait(POLL_MS, signal));
    }
    return undefined;
  };

  /** Of a stage that follows another one over many epochs it is said once for whom it waits. */
  const tellOnce = (stage: PipelineStage): Teller => {
    let told: string | undefined;
    return {
      stage,
      tell(holder) {
        if (holder !== told) onWait(stage, holder);
        told = holder;
      },
    };
  };

  return {
    async take(stage, key, workspace) {
      const teller = tellOnce(stage);
      let lock: OwnLock | undefined;
      let outlook: Outlook | undefined;
      let before: string | undefined;
      try {
        for (;;) {
          const foresight = await foreseeStage(workspace, stage, key);
          const { makes = [], needs = [] } = foresight ?? {};
          const names = makes.map((made) => lockName(key, made));
          if (outlook !== undefined) waiting.delete(outlook);
          const seen: Outlook = { names, needs: needs.map((needed) => lockName(key, needed)) };
          outlook = seen;
          if (names.length > 0) waiting.add(seen);
          const turn = (first: OwnLock | undefined) =>
            turnOf({ foresight, outlook: seen, first, stage: stage.name, key });
          const [first] = names;
          if (first === lock?.name) return turn(lock);
          lock?.release();
          lock = undefined;
          if (first === undefined) return turn(undefined);
          // Where what is there is of no use to it, it makes that again.
          if (first === before) return turn(await waitFor(first, teller));
          before = first;
          let place = 0;
          lock = await waitFor(first, teller);
          // As long as another one makes what it would make, it follows.
          while (
            lock !== undefined &&
            (await workspace.checkpoints.peek(key.checkpointBase, makes[place]!)) !== undefined
          ) {
            lock.release();
            lock = ++place < names.length ? await waitFor(names[place]!, teller) : undefined;
          }
          if (place === 0) return turn(lock);
        }
      } catch (error) {
        lock?.release();
        if (outlook !== undefined) waiting.delete(outlook);
        throw error;
      }
    },
  };

  function turnOf({ foresight, outlook, first, stage, key }: Begun): CheckpointTurn {
    const { names } = outlook;
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
            waiting.delete(outlook);
            lock?.release();
            // Another maker's, which is harmless.
            lock = typeof next === "string" ? undefined : next;
            if (hasEnded) this.end();
          }
        }
      },
      isAwaited(checkpoint) {
        const name = lockName(key, checkpoint);
        const following = names[names.indexOf(name) + 1];
        return [...waiting].some((other) => {
          if (other === outlook) return false;
          // Who needs the next one too will go on from there, or from later.
          const parts = other.names.includes(name) && (following === undefined || !other.names.includes(following));
          return parts || other.needs.includes(name);
        });
      },
      end() {
        hasEnded = true;
        waiting.delete(outlook);
        lock?.release();
        lock = undefined;
      },
    };
  }
}

interface Teller {
  readonly stage: PipelineStage;
  tell(holder: string): void;
}

/** As names of locks: all that a stage will make, in order, and what it goes on from. */
interface Outlook {
  readonly names: readonly string[];
  readonly needs: readonly string[];
}

interface Begun {
  readonly foresight: Foresight | undefined;
  readonly outlook: Outlook;
  /** Of what it makes first, where it has that. */
  readonly first: OwnLock | undefined;
  readonly stage: string;
  readonly key: StageKey;
}

/** Not a digest that a fingerprint could be: their locks lie in one folder. */
function lockName({ checkpointBase }: StageKey, checkpoint: JsonValue): string {
  return digestBytes(canonicalJson(["tfpipe/checkpoint-turn/1", checkpointBase, checkpoint]));
}
