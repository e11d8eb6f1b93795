/** What a run would do, stage by stage, with reasons and the time it is expected to take. */
import type { PlannedStage, StageDecision } from "../record.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { expectedRunMs } from "./expected-time.ts";
import { formatPlural } from "./format-count.ts";
import { formatDuration } from "./format-duration.ts";
import { withNondeterminism } from "./nondeterminism-text.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";
import { wrapText } from "./text-width.ts";

export interface PlanStyle extends TextStyle {
  /** What to try instead of a long run, such as `for a first look: pipe run x.yaml --profile quick`. Shown only before one. */
  readonly hint?: string;
}

/** From here on a run is long enough to mention the hint. */
const longRunMs = 10 * 60_000;

/** Lines without a final break. */
export function renderPlan(stages: readonly PlannedStage[], style: PlanStyle): string {
  const palette = createPalette(style.color);
  const width = style.columns - 1;
  const table = renderTable(
    {
      columns: [
        { title: "stage" },
        { title: "decision" },
        { title: "reason", flexible: true },
        { title: "expected", align: "right" },
      ],
      rows: stages.map((stage) => [
        stage.stage,
        decisionText(stage.decision, palette),
        withNondeterminism(stage.reason, stage),
        takesTime(stage) ? (stage.expectedMs === undefined ? "?" : formatDuration(stage.expectedMs)) : "",
      ]),
      paintTitle: palette.dim,
    },
    width,
  );
  return [...table, "", ...wrapText(planTotal(stages), width), ...hintLines(stages, style, width)].join("\n");
}

export function decisionText(decision: StageDecision, palette: Palette): string {
  switch (decision) {
    case "run":
      return palette.cyan(decision);
    case "restore":
      return palette.green(decision);
    case "pending":
      return palette.yellow(decision);
    case "fresh":
      return palette.dim(decision);
    default:
      return decision satisfies never;
  }
}

/** `3 to run, 2 pending, 2 fresh; about 4 m 10 s`. */
function planTotal(stages: readonly PlannedStage[]): string {
  const words: readonly [StageDecision, string][] = [
    ["run", "to run"],
    ["restore", "to restore"],
    ["pending", "pending"],
    ["fresh", "fresh"],
  ];
  const counts = words
    .map(([decision, text]) => ({ text, count: stages.filter((stage) => stage.decision === decision).length }))
    .filter(({ count }) => count > 0)
    .map(({ text, count }) => `${count} ${text}`);
  if (stages.length === 0) return "no stages";
  if (!stages.some(takesTime)) {
    if (stages.some(({ decision }) => decision === "restore")) return `${counts.join(", ")}; nothing executes`;
    return `${formatPlural(stages.length, "stage")}, all fresh, nothing to do`;
  }
  const { knownMs, unknown } = expectedTime(stages);
  if (unknown === 0) return `${counts.join(", ")}; about ${formatDuration(knownMs)}`;
  if (knownMs === 0) return `${counts.join(", ")}; no earlier run tells how long it takes`;
  const without = formatPlural(unknown, "stage");
  return `${counts.join(", ")}; more than ${formatDuration(knownMs)} (${without} without an earlier run)`;
}

function hintLines(stages: readonly PlannedStage[], { hint }: PlanStyle, width: number): string[] {
  const { knownMs, unknown } = expectedTime(stages);
  if (hint === undefined || (knownMs < longRunMs && unknown === 0)) return [];
  return wrapText(hint, width);
}

/** Milliseconds by what is known, and of how many stages nothing is. */
export function expectedTime(stages: readonly PlannedStage[]): { knownMs: number; unknown: number } {
  const timed = stages.filter(takesTime);
  const knownMs = expectedRunMs(timed.map((stage) => ({ share: 1, ...stage, expectedMs: stage.expectedMs ?? 0 })));
  return { knownMs, unknown: timed.filter(({ expectedMs }) => expectedMs === undefined).length };
}

function takesTime({ decision }: PlannedStage): boolean {
  return decision === "run" || decision === "pending";
}
