/** `pipe gc`: frees what nothing refers to any more, and what the limits let go. Pins keep runs whatever the limits are. */
import { join } from "node:path";
import { findGarbage, GARBAGE_KINDS, type GarbageLimits, removeGarbage } from "../cache/collect-garbage.ts";
import { findLiveRun, lockCollector } from "../cache/run-lease.ts";
import { replaceFile } from "../cache/store-layout.ts";
import { describeHolder, type HeldLock } from "../platform/work-lock.ts";
import { type GarbageSummary, renderGarbage } from "../report/render-garbage.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { needRun, type OpenedRuns, openRuns } from "./open-runs.ts";

export interface GcOptions {
  readonly olderThan?: string;
  readonly maxSize?: string;
  readonly keepLast?: number;
  readonly pin: readonly string[];
  readonly unpin: readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly artifacts?: string;
}

export async function gcCommand(app: App, options: GcOptions): Promise<ExitCode> {
  const { artifacts } = options;
  const limits = readLimits(options);
  const opened = await openRuns(app, [], { profile: [], ...(artifacts === undefined ? {} : { artifacts }) }, 0);
  if (opened === undefined) return 2;
  if (options.pin.length + options.unpin.length > 0) return changePins(app, opened, options);
  const { files, layout, clock } = opened.workspace;
  const lock = options.dryRun ? NO_LOCK : lockCollector(opened.workspace);
  if ("holder" in lock) {
    app.err.write(`error: another pipe gc is at work, or a run begins (${describeHolder(lock.holder)})\n`);
    return 1;
  }
  try {
    const live = findLiveRun(opened.workspace);
    if (live !== undefined) {
      const who = `a run is going on (${describeHolder(live)})`;
      if (!options.dryRun) {
        app.err.write(`error: ${who}: it needs what no record names yet\n  help: wait for its end, or add --dry-run\n`);
        return 1;
      }
      app.err.write(`note: ${who}: what it makes looks like garbage until its end\n`);
    }
    const plan = findGarbage({ files, layout, runs: opened.runs }, limits, Date.parse(clock.date()));
    if (!options.dryRun) {
      removeGarbage(files, plan.garbage);
      opened.workspace.memo.forgetLost();
    }
    const { freedBytes, storeBytes, moreBytes } = plan;
    const kinds = GARBAGE_KINDS.flatMap((kind) => {
      const sizes = plan.garbage.filter((one) => one.kind === kind).map(({ sizeBytes }) => sizeBytes);
      return sizes.length === 0 ? [] : [{ kind, count: sizes.length, sizeBytes: sizes.reduce((a, b) => a + b, 0) }];
    });
    const { maxSizeBytes } = limits;
    const summary: GarbageSummary = {
      dryRun: options.dryRun,
      kinds,
      freedBytes,
      storeBytes,
      moreBytes,
      ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }),
    };
    const text = options.json
      ? JSON.stringify(summary)
      : renderGarbage(summary, { color: app.out.color, columns: app.out.columns() });
    app.out.write(`${text}\n`);
    return 0;
  } finally {
    lock.release();
  }
}

const NO_LOCK: HeldLock = { release: () => {} };

function changePins(app: App, opened: OpenedRuns, { pin, unpin, json }: GcOptions): ExitCode {
  const { files, layout } = opened.workspace;
  const folder = join(layout.root, "pins");
  for (const word of pin) {
    const { id } = needRun(opened, word);
    files.makeFolder(folder);
    replaceFile(files, layout, join(folder, id), `${id}\n`);
    if (!json) app.out.write(`pinned ${id}: pipe gc keeps it, and all that it made\n`);
  }
  for (const word of unpin) {
    // Also of a run whose record is gone.
    const id = files.list(folder).includes(word) ? word : needRun(opened, word).id;
    if (files.stat(join(folder, id)) === undefined)
      throw new UsageError(`the run ${id} is not pinned`, "pinned runs are the files in the store's pins folder");
    files.remove(join(folder, id));
    if (!json) app.out.write(`unpinned ${id}\n`);
  }
  if (json) app.out.write(`${JSON.stringify({ pins: files.list(folder) })}\n`);
  return 0;
}

const SPANS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SIZES: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

function readLimits({ olderThan, maxSize, keepLast }: GcOptions): GarbageLimits {
  return {
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(olderThan === undefined ? {} : { olderThanMs: readAmount("--older-than", olderThan, SPANS, "30d") }),
    ...(maxSize === undefined ? {} : { maxSizeBytes: readAmount("--max-size", maxSize, SIZES, "20GB") }),
  };
}

function readAmount(option: string, text: string, units: Readonly<Record<string, number>>, example: string): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (count === undefined || factor === undefined)
    throw new UsageError(
      `${option} ${text}: a number and one of ${Object.keys(units).join(", ")} is needed`,
      `as in: ${option} ${example}`,
    );
  return Number(count) * factor;
}
