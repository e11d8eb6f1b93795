/** How a pipeline stands: its last run, and for each stage what a run would do now beside what the last one did. */
import type { PlannedStage, RunRecord } from "../record.ts";
import { createPalette } from "./ansi.ts";
import { formatDuration } from "./format-duration.ts";
import { withNondeterminism } from "./nondeterminism-text.ts";
import { decisionText } from "./render-plan.ts";
import { runLabel } from "./render-summary.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { metricTexts, outcomeMark } from "./stage-line.ts";

export interface PipelineStatus {
  readonly pipeline: string;
  readonly profiles: readonly string[];
  /** The plan as it is now. */
  readonly stages: readonly PlannedStage[];
  /** Absent when the pipeline was never run. */
  readonly lastRun?: RunRecord;
}

/** Lines without a final break. */
export function renderStatus(status: PipelineStatus, style: TextStyle): string {
  const palette = createPalette(style.color);
  const { lastRun } = status;
  const last = new Map((lastRun?.stages ?? []).map((record) => [record.stage, record]));
  const table = renderTable(
    {
      columns: [
        { title: "stage" },
        { title: "now" },
        { title: "last run" },
        { title: "took", align: "right" },
        { title: "metrics or reason", flexible: true },
      ],
      rows: status.stages.map((stage) => {
        const record = last.get(stage.stage);
        return [
          stage.stage,
          decisionText(stage.decision, palette),
          record === undefined ? palette.dim("-") : `${outcomeMark(record.outcome, palette)} ${record.outcome}`,
          record === undefined || record.outcome === "skipped" ? "" : formatDuration(record.durationMs),
          withNondeterminism(
            stage.decision === "fresh" && stage.frozen !== true
              ? record === undefined
                ? ""
                : metricTexts(record).join("  ")
              : stage.reason,
            stage,
          ),
        ];
      }),
      paintTitle: palette.dim,
    },
    style.columns - 1,
  );
  const head =
    lastRun === undefined
      ? `${palette.bold(runLabel(status))}: never run`
      : `${palette.bold(runLabel(status))}: last run ${lastRun.name === undefined ? "" : `${lastRun.name}, `}${lastRun.startedAt.replace("T", " ").replace(/(:\d\d)(\.\d+)?Z$/, "$1 UTC")}, ${exitText(lastRun.exitCode)} after ${formatDuration(lastRun.durationMs)}`;
  return [head, "", ...table].join("\n");
}

/** How a run ended. */
export function exitText(exitCode: number): string {
  switch (exitCode) {
    case 0:
      return "done";
    case 1:
      return "failed";
    case 130:
      return "interrupted";
    default:
      return `exit code ${exitCode}`;
  }
}
