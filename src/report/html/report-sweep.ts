/** The trials of a sweep in the report: the chart, and the table beneath it, the best first. */
import type { SweepRecord, TrialRecord } from "../../record.ts";
import { escapeHtml } from "../escape-html.ts";
import {
  bestTrial,
  epochsText,
  metricText,
  rankTrials,
  sharedEpochs,
  shownMetrics,
  valueText,
} from "../render-sweep.ts";

const TONES = { done: "good", failed: "bad", interrupted: "due" } as const;

export function renderTrials(sweep: SweepRecord): string {
  const metrics = shownMetrics(sweep);
  const trials = rankTrials(sweep);
  const hasEpochs = trials.some(({ epochs }) => epochs !== undefined);
  const heads = ["#", ...sweep.params, ...metrics, "state", ...(hasEpochs ? ["epochs trained", "shared"] : [])];
  const cell = (text: string, tone = "") => `<td${tone === "" ? "" : ` class="${tone}"`}>${escapeHtml(text)}</td>`;
  const row = (trial: TrialRecord, index: number): string =>
    `<tr>${[
      cell(String(index + 1), "soft"),
      ...sweep.params.map((name) => cell(valueText(trial.values[name]))),
      ...metrics.map((name) => cell(metricText(name, trial.metrics[name]))),
      cell(trial.state, TONES[trial.state]),
      ...(hasEpochs
        ? [trial.epochsTrained, sharedEpochs(trial)].map((count) => cell(count === undefined ? "–" : String(count)))
        : []),
    ].join("")}</tr>`;
  const drawn = sweep.seed === undefined ? "" : `<p class="soft">Drawn from seed ${sweep.seed}.</p>`;
  const epochs = hasEpochs ? `<p class="soft">${escapeHtml(epochsText(sweep))}.</p>` : "";
  return (
    `<div class="card trials"><table><tr>${heads.map((head) => `<th>${escapeHtml(head)}</th>`).join("")}</tr>` +
    `${trials.map(row).join("")}</table>${epochs}${drawn}</div>`
  );
}

/** Stages whose charts and metrics are worth a place: of the best trial, and those that all have in common. */
export function stagesToShow(sweep: SweepRecord): (stage: string) => boolean {
  const others = new Set(sweep.trials.flatMap(({ stages }) => stages));
  for (const stage of bestTrial(sweep)?.stages ?? []) others.delete(stage);
  return (stage) => !others.has(stage);
}
