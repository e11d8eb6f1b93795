/** `--from` and `--until` of a run: which stages it is about, and the refusal where what comes before them is not done. */
import type { DetailedStage } from "../execute/plan.ts";
import { type StageRange, selectRange } from "../graph/stage-range.ts";
import { UsageError } from "./app.ts";
import type { OpenedPipeline } from "./open-pipeline.ts";
import { findStages } from "./stage-names.ts";

export interface RangeOptions {
  readonly from: readonly string[];
  readonly until: readonly string[];
}

/** Stages named on the command line are ends of the range, as those of `--until` are. */
export function rangeOf({ pipeline, graph, stageNames }: OpenedPipeline, options: RangeOptions): StageRange {
  const named = (words: readonly string[]) => words.flatMap((word) => findStages(pipeline, word));
  const from = named(options.from);
  const until = [...stageNames, ...named(options.until)];
  const range = selectRange(graph, { from, until });
  for (const name of from)
    if (!range.stages.includes(name))
      throw new UsageError(
        `--from ${name}: ${until.join(", ")} ${until.length === 1 ? "does" : "do"} not depend on it`,
        "leave one of them out",
      );
  return range;
}

const SHOWN = 3;

/** Throws where something that comes before the range would have to run. */
export function refuseUndone(
  plan: readonly DetailedStage[],
  { before }: StageRange,
  { from }: RangeOptions,
  { commandSuffix }: OpenedPipeline,
): void {
  const undone = plan.filter(
    ({ stage, decision }) => before.has(stage) && decision !== "fresh" && decision !== "restore",
  );
  if (undone.length === 0) return;
  const shown = undone.slice(0, SHOWN).map(({ stage, reason }) => `${stage} (${reason})`);
  const more = undone.length > SHOWN ? `, and ${undone.length - SHOWN} more` : "";
  const names = undone.map(({ stage }) => stage);
  throw new UsageError(
    `--from ${from.join(" ")}: what comes before is not up to date: ${shown.join(", ")}${more}`,
    `leave --from out, or bring that up to date first: pipe run${commandSuffix} ${names.slice(0, SHOWN).join(" ")}`,
  );
}
