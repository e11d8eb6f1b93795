/** The stage graph as lines, one a stage in the order of execution: name, type, state, and what it needs. */
import type { DagStage } from "./dag-layout.ts";
import { formatDuration } from "./format-duration.ts";
import { padEnd, textWidth } from "./text-width.ts";

/** `train      train        ran  4 m 05 s  <- model, normalize`. A type is left out where it is the stage's name. */
export function renderDagText(stages: readonly DagStage[]): string {
  const rows = stages.map(({ stage, stageType, needs, state, durationMs }) => ({
    columns: [
      stage,
      stageType === stage ? "" : stageType,
      state ?? "",
      durationMs === undefined ? "" : formatDuration(durationMs),
    ],
    needs: needs.length === 0 ? "" : `← ${needs.join(", ")}`,
  }));
  const widths = [0, 1, 2, 3].map((i) => Math.max(0, ...rows.map(({ columns }) => textWidth(columns[i]!))));
  return rows
    .map(({ columns, needs }) =>
      [...columns.flatMap((text, i) => (widths[i] === 0 ? [] : [padEnd(text, widths[i]!)])), needs]
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
