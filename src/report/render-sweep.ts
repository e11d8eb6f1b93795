/** The trials of a sweep as a table, the best first: for a terminal, and as CSV for programs. */
import type { JsonValue } from "../json.ts";
import type { SweepRecord, TrialRecord } from "../record.ts";
import { createPalette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { formatPlural } from "./format-count.ts";
import { formatFigure } from "./format-figure.ts";
import { csvCell } from "./render-metrics.ts";
import { renderTable } from "./render-table.ts";
import type { TextStyle } from "./reporter.ts";

/** The best first; those without the objective behind all others, as they came. */
export function rankTrials({ trials, objective }: SweepRecord): readonly TrialRecord[] {
  if (objective === undefined) return trials;
  const { metric, mode } = objective;
  const worth = ({ metrics }: TrialRecord): number => {
    const value = metrics[metric];
    return value === undefined ? Number.NEGATIVE_INFINITY : mode === "max" ? value : -value;
  };
  return [...trials].sort((a, b) => (worth(a) === worth(b) ? 0 : worth(b) - worth(a)));
}

/** Undefined where nothing judges them, or none has a result. */
export function bestTrial(sweep: SweepRecord): TrialRecord | undefined {
  const [best] = rankTrials(sweep);
  const { objective } = sweep;
  return objective === undefined || best?.metrics[objective.metric] === undefined ? undefined : best;
}

const MOST_METRICS = 3;

/** The objective; where nobody named one, the metrics of the last stage that has any. */
export function shownMetrics({ objective, trials }: SweepRecord): readonly string[] {
  if (objective !== undefined) return [objective.metric];
  const names = [...new Set(trials.flatMap(({ metrics }) => Object.keys(metrics)))];
  const last = names.at(-1)?.split(".")[0];
  return names.filter((name) => name.split(".")[0] === last).slice(0, MOST_METRICS);
}

/** Lines without a final break, none wider than the window. */
export function renderSweep(sweep: SweepRecord, title: string, style: TextStyle): string {
  const palette = createPalette(style.color);
  const metrics = shownMetrics(sweep);
  const ranked = rankTrials(sweep);
  const hasEpochs = ranked.some(({ epochs }) => epochs !== undefined);
  const columns = [
    { title: "#", align: "right" as const },
    ...sweep.params.map((name) => ({ title: name, align: "right" as const })),
    ...metrics.map((name) => ({ title: name, align: "right" as const })),
    { title: "state" },
    ...(hasEpochs
      ? [
          { title: "trained", align: "right" as const },
          { title: "shared", align: "right" as const },
        ]
      : []),
  ];
  const paint = { done: palette.green, failed: palette.red, interrupted: palette.yellow };
  const rows = ranked.map((trial, index) => [
    String(index + 1),
    ...sweep.params.map((name) => valueText(trial.values[name])),
    ...metrics.map((name) => metricText(name, trial.metrics[name])),
    paint[trial.state](trial.state),
    ...(hasEpochs
      ? [trial.epochsTrained, sharedEpochs(trial)].map((count) => (count === undefined ? "-" : String(count)))
      : []),
  ]);
  const width = style.columns - 1;
  const failures = ranked.flatMap(({ name, failure }) =>
    failure === undefined ? [] : breakText(`${name}: ${failure}`, width - 2),
  );
  return [
    ...breakText(title, width).map(palette.bold),
    "",
    ...renderTable({ columns, rows, paintTitle: palette.dim }, width),
    ...(failures.length === 0 ? [] : ["", ...failures.map((line) => `  ${palette.red(line)}`)]),
    ...(hasEpochs ? ["", ...breakText(epochsText(sweep), width)] : []),
    ...rankHint(sweep),
    ...(sweep.trials.some(({ state }) => state === "interrupted") ? ["the same command goes on where it was"] : []),
  ].join("\n");
}

function rankHint({ objective, trials }: SweepRecord): readonly string[] {
  const last = trials.flatMap(({ metrics }) => Object.keys(metrics)).at(-1);
  const stage = last?.split(".")[0];
  const first = trials.flatMap(({ metrics }) => Object.keys(metrics)).find((name) => name.split(".")[0] === stage);
  return objective !== undefined || first === undefined ? [] : [`to rank them: --metric ${first}`];
}

/** `12 trials of tiny by evaluate.testAccuracy, largest first; seed 7`. */
export function sweepTitle({ trials, objective, seed }: SweepRecord, pipeline: string): string {
  const by =
    objective === undefined
      ? ""
      : ` by ${objective.metric}, ${objective.mode === "max" ? "largest" : "smallest"} first`;
  return `${formatPlural(trials.length, "trial")} of ${pipeline}${by}${seed === undefined ? "" : `; seed ${seed}`}`;
}

/** How much work trials had in common. */
export function epochsText({ trials }: SweepRecord): string {
  const trained = trials.reduce((sum, { epochsTrained = 0 }) => sum + epochsTrained, 0);
  const all = trials.reduce((sum, { epochs = 0 }) => sum + epochs, 0);
  const rest = all === trained ? "" : `; ${all - trained} were there, from other trials or earlier runs`;
  return `trained ${trained} of ${formatPlural(all, "epoch")}${rest}`;
}

export function sharedEpochs({ epochs, epochsTrained }: TrialRecord): number | undefined {
  return epochs === undefined || epochsTrained === undefined ? undefined : epochs - epochsTrained;
}

/** Every value in full, in the order of the table: RFC 4180 without a carriage return. */
export function sweepAsCsv(sweep: SweepRecord): string {
  const metrics = [...new Set(sweep.trials.flatMap(({ metrics: own }) => Object.keys(own)))];
  const titles = [
    "trial",
    ...sweep.params.map((name) => `params.${name}`),
    ...metrics,
    "state",
    "epochsTrained",
    "epochs",
    "failure",
  ];
  const rows = rankTrials(sweep).map((trial) => [
    trial.name,
    ...sweep.params.map((name) => valueText(trial.values[name])),
    ...metrics.map((name) => numberText(trial.metrics[name])),
    trial.state,
    numberText(trial.epochsTrained),
    numberText(trial.epochs),
    trial.failure ?? "",
  ]);
  return [titles, ...rows].map((row) => row.map(csvCell).join(",")).join("\n");
}

export function valueText(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

export function metricText(name: string, value: number | undefined): string {
  return value === undefined ? "-" : formatFigure(name.slice(name.indexOf(".") + 1), value).value;
}

const numberText = (value: number | undefined): string => (value === undefined ? "" : String(value));
