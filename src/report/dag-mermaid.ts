/** The stage graph as a Mermaid flowchart, which code hosts and editors draw. */
import type { StageDecision, StageOutcome } from "../record.ts";
import type { DagStage } from "./dag-layout.ts";
import { formatDuration } from "./format-duration.ts";

const CLASSES: Readonly<Record<StageDecision | StageOutcome, string>> = {
  ran: "stroke:#1a7f5a,stroke-width:2px",
  restored: "stroke:#4c7fb8,stroke-width:2px",
  fresh: "stroke:#7a8694",
  run: "stroke:#b7791f,stroke-width:2px",
  restore: "stroke:#4c7fb8",
  pending: "stroke:#7a8694,stroke-dasharray:4 3",
  failed: "stroke:#c0392b,stroke-width:3px",
  skipped: "stroke:#7a8694,stroke-dasharray:4 3",
  interrupted: "stroke:#b7791f,stroke-dasharray:4 3",
};

export function renderDagMermaid(stages: readonly DagStage[]): string {
  const ids = new Map(stages.map(({ stage }, i) => [stage, `s${i}`]));
  const lines = ["flowchart LR"];
  for (const stage of stages) {
    const mark = stage.state === undefined ? "" : `:::${stage.state}`;
    lines.push(`  ${ids.get(stage.stage)}["${label(stage)}"]${mark}`);
  }
  for (const { stage, needs } of stages)
    for (const need of needs) if (ids.has(need)) lines.push(`  ${ids.get(need)} --> ${ids.get(stage)}`);
  for (const state of new Set(stages.flatMap((stage) => stage.state ?? [])))
    lines.push(`  classDef ${state} ${CLASSES[state]}`);
  return `${lines.join("\n")}\n`;
}

function label({ stage, stageType, state, durationMs }: DagStage): string {
  const below = [
    stageType === stage ? undefined : stageType,
    state,
    durationMs === undefined ? undefined : formatDuration(durationMs),
  ].filter((part) => part !== undefined);
  return [escapeLabel(stage), ...(below.length === 0 ? [] : [`<small>${escapeLabel(below.join(" · "))}</small>`])].join(
    "<br/>",
  );
}

function escapeLabel(text: string): string {
  return text.replace(/[&"<>#;]/g, (character) => `#${character.charCodeAt(0)};`);
}
