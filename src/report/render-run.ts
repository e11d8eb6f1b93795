/** One run that is kept, as a whole: how it went, stage by stage, with what, and where. */

import { flattenJson } from "../identity/flatten-json.ts";
import type { RunRecord } from "../record.ts";
import { createPalette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatBytes } from "./format-bytes.ts";
import { formatDuration } from "./format-duration.ts";
import { withNondeterminism } from "./nondeterminism-text.ts";
import { renderFailure } from "./render-failure.ts";
import { exitText } from "./render-status.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { formatMoment, pipelineTitle } from "./run-title.ts";
import { metricTexts, outcomeMark } from "./stage-line.ts";

/** Lines without a final break. */
export function renderRun(run: RunRecord, style: TextStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const { environment } = run;
  const facts: readonly (readonly [string, string])[] = [
    ["run", run.id],
    ...(run.name === undefined ? [] : [["name", run.name] as const]),
    ["pipeline", pipelineTitle(run)],
    ["when", `${formatMoment(run.startedAt)} UTC`],
    ["outcome", `${exitText(run.exitCode)} after ${formatDuration(run.durationMs)}${sameAs(run)}`],
    ...Object.entries(flattenJson(run.params)).map(([name, value]) => [`params.${name}`, value] as const),
    [
      "on",
      `${environment.cpu}, ${environment.cores} cores, ${formatBytes(environment.memoryBytes)}, ${environment.platform}-${environment.architecture}, Node ${environment.node}, tfpipe ${environment.tfpipe}`,
    ],
  ];
  const labelWidth = Math.min(Math.max(...facts.map(([label]) => label.length)), width >> 1);
  const head = facts.flatMap(([label, text]) => {
    const lines = breakText(text, width - labelWidth - 2);
    return lines.map(
      (line, index) => `${palette.dim((index === 0 ? label : "").slice(0, labelWidth).padEnd(labelWidth))}  ${line}`,
    );
  });
  const table = renderTable(
    {
      columns: [
        { title: "stage" },
        { title: "outcome" },
        { title: "took", align: "right" },
        { title: "metrics or reason", flexible: true },
      ],
      rows: run.stages.map((stage) => [
        stage.stage,
        `${outcomeMark(stage.outcome, palette)} ${stage.outcome}`,
        stage.outcome === "skipped" ? "" : formatDuration(stage.durationMs),
        withNondeterminism(Object.keys(stage.metrics).length > 0 ? metricTexts(stage).join("  ") : stage.reason, stage),
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
  const failures = run.stages.flatMap((stage) =>
    stage.failure === undefined ? [] : ["", renderFailure(stage, style)],
  );
  return [...head, "", ...table, ...failures].join("\n");
}

function sameAs({ sameAs: made }: RunRecord): string {
  return made === undefined ? "" : `; it found everything done by the run ${made}`;
}
