/**
 * One section of a lock beside the files that are here: the pipeline in its profiles, what no longer follows, what was not
 * looked at. Neither data nor an engine is needed.
 */
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { checkLock, type LockCheck, type UncheckedPart } from "../execute/check-lock.ts";
import { diagnoseLock } from "../execute/lock-diagnostics.ts";
import type { Workspace } from "../execute/workspace.ts";
import { buildStageGraph, type StageGraph } from "../graph/stage-graph.ts";
import { type LockedResults, resultsName } from "../identity/lock.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { App } from "./app.ts";
import { loadWithoutData } from "./load-without-data.ts";
import type { OpenedLock } from "./lock-file.ts";
import { findLockedEngines } from "./locked-engines.ts";
import { needsCode } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";

export interface CheckedResults {
  /** `words@quick`. */
  readonly results: string;
  readonly locked: LockedResults;
  readonly exitCode: 0 | 2 | 4;
  readonly diagnostics: readonly Diagnostic[];
  readonly texts: ReadonlyMap<string, string>;
  /** Absent where the pipeline is wrong, or has these profiles no more. */
  readonly checked?: CheckedPipeline;
}

export interface CheckedPipeline extends LockCheck {
  readonly pipeline: Pipeline;
  readonly graph: StageGraph;
  readonly workspace: Workspace;
  readonly notes: readonly string[];
}

export async function checkResults(
  app: App,
  file: string,
  lock: OpenedLock,
  locked: LockedResults,
  options: PipelineOptions,
): Promise<CheckedResults> {
  const { profiles } = locked;
  const { source, artifactsFolder, userStages, loaded } = await loadWithoutData(app, file, {
    ...options,
    profile: profiles,
  });
  const { pipeline } = loaded;
  const texts = new Map([...loaded.texts, [lock.file, lock.text]]);
  const head = { results: resultsName(pipeline?.name ?? lock.lock.pipeline, profiles), locked, texts };
  if (pipeline === undefined) {
    const isLost = loaded.diagnostics.some(({ code }) => code === "language/unknown-profile");
    if (!isLost) return { ...head, exitCode: 2, diagnostics: loaded.diagnostics };
    const { diagnose } = await import("../diagnostics/diagnostic.ts");
    const placeOf = await placesIn(lock);
    const span = placeOf(["results", resultsName(lock.lock.pipeline, profiles)]);
    const diagnostics = [diagnose("lock/lost-profile", { profiles, pipeline: source.file }, span)];
    return { ...head, exitCode: 4, diagnostics };
  }
  const workspace = await app.openWorkspace(artifactsFolder, {
    paranoid: false,
    userStages,
    needsCode: needsCode(pipeline),
  });
  const { engines, notes } = findLockedEngines(app.engines, pipeline, locked);
  const graph = buildStageGraph(pipeline);
  const checked = await checkLock(workspace, {
    pipeline,
    graph,
    stages: graph.order,
    locked,
    engines,
    forgiving: true,
  });
  workspace.memo.save();
  const run = `pipe run ${[quoteWord(source.file), ...profiles.map((name) => `--profile ${quoteWord(name)}`)].join(" ")}`;
  const diagnostics =
    checked.problems.length === 0
      ? []
      : diagnoseLock(
          checked.problems,
          pipeline,
          { file: lock.file, name: lock.lock.pipeline, placeOf: await placesIn(lock) },
          run,
        );
  return {
    ...head,
    exitCode: diagnostics.length === 0 ? 0 : 4,
    diagnostics: [...loaded.diagnostics, ...diagnostics],
    checked: {
      ...checked,
      pipeline,
      graph,
      workspace,
      notes: [...notes, ...machineNotes(workspace, pipeline, locked)],
    },
  };
}

/** The lock is parsed as YAML only where a place in it must be shown. */
async function placesIn(lock: OpenedLock) {
  const { createLockPlaces } = await import("../identity/parse-lock.ts");
  return createLockPlaces(lock);
}

function machineNotes({ machine }: Workspace, { stages }: Pipeline, locked: LockedResults): readonly string[] {
  const here = `${machine.platform}-${machine.architecture}-${machine.instructions}`;
  const names = new Set(stages.map(({ name }) => name));
  const others = Object.entries(locked.stages).flatMap(([name, stage]) =>
    !names.has(name) || stage.machine === here || stage.machine.startsWith(`${here}-`) ? [] : [stage.machine],
  );
  if (others.length === 0) return [];
  return [`made on ${[...new Set(others)].sort().join(", ")}; here it is ${here}, where bits may differ`];
}

const SHOWN = 8;

export function shortenNames(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return more > 0 ? `${names.slice(0, SHOWN).join(", ")} and ${more} more` : names.join(", ");
}

/** One line per path, tool and reason, with the stages that have it. */
export function describeUnchecked(unchecked: readonly UncheckedPart[]): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const one of unchecked) {
    const line = describePart(one);
    const stages = lines.get(line) ?? [];
    stages.push(one.stage);
    lines.set(line, stages);
  }
  return [...lines].map(([line, stages]) => `${line} (${shortenNames(stages)})`);
}

function describePart(one: UncheckedPart): string {
  switch (one.part) {
    case "input":
      return `${one.path} is not here`;
    case "tool":
      return one.found ? `the program ${one.name} here is another one` : `there is no program ${one.name} here`;
    case "stage":
      return one.why === "frozen" ? "frozen, so its key may be any" : "runs each time, so it may make something else";
  }
}
