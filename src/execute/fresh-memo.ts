/**
 * Remembers which stages were found fresh, and of everything that was looked at to find it, its stat. While all of it is as
 * it was, a stage is fresh by as many calls of stat: no trace, no listing is read and no key is made.
 *
 * What must stay true: it never says fresh where the long way would not. So an entry is believed only where
 *   - the pipeline, the code, the engines and the kind of machine are the same (`context`),
 *   - what the stage reads from others is the same, and its last success is the one remembered,
 *   - every path looked at has the very stat that it had before it was read, and whatever is written from then on must
 *     change that stat (the rule of the stat memo; entries that are too young for it are not made),
 *   - the file is what was written, as its own digest says.
 */
import { dirname, join, sep } from "node:path";
import type { StoreLayout } from "../cache/store-layout.ts";
import type { TracedResult } from "../cache/trace-store.ts";
import { readSealed, sealText } from "../identity/sealed-text.ts";
import { isSettled } from "../identity/stat-memo.ts";
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import type { Looks } from "../platform/look-recorder.ts";

export interface FreshStage {
  readonly reason: string;
  readonly expectedMs: number;
  readonly trace: TracedResult;
}

export interface FreshMemo {
  /** `reads`: what the stage gets from others. `fingerprint`: of its last success. */
  recall(stage: string, reads: string, fingerprint: string): FreshStage | undefined;
  /** `looks`: all that was looked at to find it fresh. */
  note(stage: string, reads: string, fresh: FreshStage, looks: Looks): void;
  /** Quiet where it cannot be written. */
  save(): void;
}

export interface FreshMemoOptions {
  readonly files: FileSystem;
  readonly layout: Pick<StoreLayout, "memo" | "temporary" | "root">;
  /** Of the pipeline and its profiles. */
  readonly name: string;
  /** Everything that decides beside the files, in one digest. */
  readonly context: string;
  /** When looking began: ns since 1970. */
  readonly nowNs: bigint;
  /** Believe nothing. */
  readonly paranoid: boolean;
}

interface Entry {
  readonly reads: string;
  readonly fresh: FreshStage;
  /** A path and its stat, by turns; below the folder that holds `artifacts/`, from there on. */
  readonly looks: readonly string[];
  /** The same of everything elsewhere. */
  readonly elsewhere: readonly string[];
}

interface KeptMemo {
  readonly format: typeof FORMAT;
  readonly context: string;
  readonly stages: Readonly<Record<string, Entry>>;
}

const FORMAT = "tfpipe/fresh/2";
/** Of a path where nothing was. */
const NOTHING = "-";

export function openFreshMemo({ files, layout, name, context, nowNs, paranoid }: FreshMemoOptions): FreshMemo {
  const path = layout.memo(`fresh-${name}`);
  const common = join(dirname(dirname(layout.root)), sep);
  // Stages look at what others made, too; a plan is made of one moment.
  const stamps = new Map<string, string>();
  const isAsBefore = (looks: readonly string[], folder: string): boolean => {
    for (let at = 0; at < looks.length; at += 2) {
      const known = folder + looks[at]!;
      let stamp = stamps.get(known);
      if (stamp === undefined) {
        stamp = stampOf(files.stat(known));
        stamps.set(known, stamp);
      }
      if (stamp !== looks[at + 1]) return false;
    }
    return true;
  };
  const stages = new Map(Object.entries(paranoid ? {} : readKept(files, path, context)));
  let changed = false;
  return {
    recall(stage, reads, fingerprint) {
      const entry = stages.get(stage);
      if (entry === undefined || entry.reads !== reads || entry.fresh.trace.fingerprint !== fingerprint)
        return undefined;
      return isAsBefore(entry.looks, common) && isAsBefore(entry.elsewhere, "") ? entry.fresh : undefined;
    },
    note(stage, reads, fresh, { stats, isWhole }) {
      if (!isWhole) return;
      const looks: string[] = [];
      const elsewhere: string[] = [];
      for (const [full, stat] of stats) {
        if (stat !== undefined && !isSettled(stat, nowNs)) return;
        if (full.startsWith(common)) looks.push(full.slice(common.length), stampOf(stat));
        else elsewhere.push(full, stampOf(stat));
      }
      stages.set(stage, { reads, fresh, looks, elsewhere });
      changed = true;
    },
    save() {
      if (!changed) return;
      changed = false;
      const kept: KeptMemo = { format: FORMAT, context, stages: Object.fromEntries(stages) };
      try {
        const temporary = layout.temporary();
        files.writeNew(temporary, sealText(JSON.stringify(kept)).text);
        files.rename(temporary, path);
      } catch {
        // It only saves work: a store that cannot be written means going the long way next time.
      }
    },
  };
}

/** All that a file's content cannot change without. */
function stampOf(stat: FileStat | undefined): string {
  if (stat === undefined) return NOTHING;
  const { kind, executable, sizeBytes, mtimeNs, ctimeNs, inode } = stat;
  return `${kind}${executable ? " x" : ""} ${sizeBytes} ${mtimeNs} ${ctimeNs} ${inode}`;
}

/** A memo that cannot be read, or is of another context, is an empty memo. */
function readKept(files: FileSystem, path: string, context: string): KeptMemo["stages"] {
  const body = readSealed(files, path)?.body;
  try {
    const kept = JSON.parse(body ?? "null") as KeptMemo | null;
    return kept?.format === FORMAT && kept.context === context ? kept.stages : {};
  } catch {
    return {};
  }
}
