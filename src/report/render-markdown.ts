/**
 * What changed in a pipeline and why, as GitHub-flavoured Markdown: for a pull request, a job's summary or a file. What
 * users wrote stands in code spans, where nothing of it is markup, a link or somebody's name.
 *
 * Stays true: equal results give equal text. There is no time, no run's id and no path of a machine in it.
 */
import type { MetricChange } from "../cache/compare-runs.ts";
import type {
  ChartChange,
  ChartPicture,
  ResultsChange,
  ResultsName,
  StageResultChange,
  StageState,
} from "../cache/results-change.ts";
import { formatPlural } from "./format-count.ts";
import { formatFigure } from "./format-figure.ts";
import { differenceText } from "./render-metrics.ts";
import { pipelineTitle } from "./run-title.ts";
import { printableLine, truncate } from "./text-width.ts";

/** Of stages in a table; what is beyond is counted: comments have a limit, and readers too. */
const MOST_ROWS = 100;
const MOST_REASONS = 4;
const LONGEST_TEXT = 200;

/** `pictures`: what links to them begin with, empty where they lie beside the text; undefined where there are none. */
export function renderMarkdown(changes: readonly ResultsChange[], pictures: string | undefined): string {
  return changes.map((change) => `${sectionsOf(change, pictures).join("\n\n")}\n`).join("\n");
}

function sectionsOf(change: ResultsChange, pictures: string | undefined): readonly string[] {
  const { causes, outdated, metrics, charts, unchecked, notes } = change;
  return [
    `## ${code(pipelineTitle(change))}`,
    ...summaryOf(change),
    ...(outdated.length === 0
      ? []
      : [bullets(outdated.map(({ file, line, text }) => `${code(`${file}:${line}`)} ${code(text)}`))]),
    ...(causes.length === 0
      ? []
      : [
          `**Root ${causes.length === 1 ? "cause" : "causes"}**`,
          bullets(causes.map(({ stage, text }) => `${code(stage)}: ${code(text)}`)),
        ]),
    ...stageTable(change),
    ...metricTables(metrics, change.before !== undefined),
    ...chartTables(charts, change.before !== undefined, pictures),
    ...(unchecked.length + notes.length === 0
      ? []
      : [
          bullets([
            ...unchecked.map((text) => `not checked: ${code(text)}`),
            ...notes.map((text) => `note: ${code(text)}`),
          ]),
        ]),
  ];
}

function summaryOf(change: ResultsChange): readonly string[] {
  const { stages, before, after } = change;
  const lines: string[] = [];
  const inState = (state: StageState) => stages.filter((stage) => stage.state === state).length;
  if (after.what === "lock") {
    const [outdated, behind] = [change.outdated.length, inState("behind")];
    const all = formatPlural(stages.length - stages.filter(({ result }) => result === "gone").length, "stage");
    if (outdated === 0) lines.push(`✓ ${nameOf(after)} follows from the files here: ${all}.`);
    else
      lines.push(
        `✗ **${nameOf(after)} does not follow from the files here**${behind === 0 ? "" : `; ${formatPlural(behind, "more stage")} may change then`}:`,
      );
  }
  if (before === undefined) {
    if (after.what === "run") lines.push(`${capital(nameOf(after))}: ${outcomesOf(stages)}.`);
    return lines;
  }
  const withResult = (result: StageResultChange["result"]) => stages.filter((stage) => stage.result === result).length;
  const counts = [
    [withResult("new"), "new"],
    [withResult("gone"), "gone"],
    [withResult("unknown"), "without a result"],
  ] as const;
  const more = counts.flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`]));
  const others = withResult("other");
  const than = `in ${nameOf(after)} ${others === 0 ? "as" : "than"} in ${nameOf(before)}`;
  const compared = stages.length - counts.reduce((sum, [count]) => sum + count, 0);
  const what =
    others === 0
      ? `${compared === 1 ? "1 stage has" : `${compared} stages have`} the same result ${than}`
      : `**${others} of ${formatPlural(compared, "stage")} ${others === 1 ? "has" : "have"} another result** ${than}`;
  const comparison =
    compared === 0
      ? `${capital(nameOf(after))} beside ${nameOf(before)}: ${more.join(", ")}.`
      : `${[what, ...more].join(", ")}.`;
  // Where it does not follow, the list of why comes right behind that.
  return change.outdated.length === 0 ? [...lines, comparison] : [comparison, ...lines];
}

const outcomesOf = (stages: readonly StageResultChange[]): string => {
  const counts = new Map<string, number>();
  for (const { state } of stages) {
    const text = stateText(state).replace(/^\W+/u, "");
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => `${count} ${text}`).join(", ");
};

function nameOf(name: ResultsName): string {
  if (name.what === "lock") return name.isElsewhere ? "the lock of the other checkout" : code(name.file);
  return name.name === undefined ? "the last run" : `the run ${code(name.name)}`;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** What somebody wants to know about; the others are one line. */
function stageTable({ stages, before }: ResultsChange): readonly string[] {
  const isQuiet = ({ state, result, reasons }: StageResultChange) =>
    ["fresh", "earlier", "follows"].includes(state ?? "") && (result ?? "same") === "same" && reasons.length === 0;
  const isAsBefore = (stage: StageResultChange) =>
    isQuiet(stage) || (before !== undefined && stage.result === "same" && stage.reasons.length === 0 && isDone(stage));
  const told = stages.filter((stage) => !isAsBefore(stage));
  const rest = stages.filter(isAsBefore).map(({ stage }) => code(stage));
  const compared = before !== undefined;
  const rows = told
    .slice(0, MOST_ROWS)
    .map(({ stage, state, result, reasons }) => [
      cell(stage),
      stateText(state),
      ...(compared ? [result === undefined ? "" : RESULTS[result]] : []),
      reasonsCell(reasons),
    ]);
  const titles = ["stage", "state", ...(compared ? ["result"] : []), "why"];
  const more = told.length - rows.length;
  return [
    ...(rows.length === 0 ? [] : [table(titles, rows)]),
    ...(more > 0 ? [`... and ${formatPlural(more, "more stage")}.`] : []),
    ...(rest.length === 0
      ? []
      : [folded(`${formatPlural(rest.length, "stage")}${compared ? " as before" : ""}`, shorten(rest))]),
  ];
}

const isDone = ({ state }: StageResultChange): boolean => state === "ran" || state === "restored" || state === "fresh";

const RESULTS = { same: "same", other: "**other**", new: "**new**", gone: "**gone**", unknown: "none" } as const;

function stateText(state: StageState | undefined): string {
  switch (state) {
    case undefined:
      return "";
    case "fresh":
      return "up to date";
    case "earlier":
      return "not in this run";
    case "outdated":
      return "✗ does not follow";
    case "behind":
      return "may change";
    case "failed":
      return "✗ failed";
    default:
      return state;
  }
}

function shorten(names: readonly string[]): string {
  const more = names.length - MOST_ROWS;
  return more > 0 ? `${names.slice(0, MOST_ROWS).join(", ")} and ${more} more` : names.join(", ");
}

function reasonsCell(reasons: readonly string[]): string {
  const more = reasons.length - MOST_REASONS;
  const shown = reasons.slice(0, MOST_REASONS).map(cell);
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("<br>");
}

/** Equal ones are folded away. */
function metricTables(metrics: readonly MetricChange[], compared: boolean): readonly string[] {
  if (metrics.length === 0) return [];
  const show = (name: string, value: number | undefined) =>
    value === undefined ? "-" : formatFigure(name, value).value;
  if (!compared) {
    const rows = metrics.map(({ stage, name, after }) => [cell(stage), cell(name), show(name, after)]);
    return ["### Metrics", table(["stage", "metric", "value"], rows, 2)];
  }
  const rowOf = ({ stage, name, before, after, difference }: MetricChange) => [
    cell(stage),
    cell(name),
    show(name, before),
    show(name, after),
    difference === undefined ? "" : differenceText(name, difference),
  ];
  const titles = ["stage", "metric", "before", "after", "difference"];
  const changed = metrics.filter(({ before, after }) => before !== after);
  const same = metrics.filter(({ before, after }) => before === after);
  return [
    "### Metrics",
    ...(changed.length === 0 ? [] : [table(titles, changed.map(rowOf), 2)]),
    ...(same.length === 0
      ? []
      : [folded(`${formatPlural(same.length, "metric")} as before`, table(titles, same.map(rowOf), 2))]),
  ];
}

function chartTables(
  charts: readonly ChartChange[],
  compared: boolean,
  pictures: string | undefined,
): readonly string[] {
  if (charts.length === 0) return [];
  const changed = charts.filter(({ isSame }) => !isSame);
  const same = charts.filter(({ isSame }) => isSame);
  const label = ({ stage, name }: ChartChange) => `${cell(stage)}<br>${cell(name)}`;
  if (pictures === undefined) {
    const list = (some: readonly ChartChange[]) =>
      some.map(({ stage, name }) => `${code(stage)} ${code(name)}`).join(", ");
    if (!compared || changed.length === 0) return ["### Charts", `${compared ? "As before: " : ""}${list(charts)}`];
    return ["### Charts", `Drawn otherwise: ${list(changed)}`];
  }
  const show = (chart: ChartChange, side: "before" | "after") => {
    const picture = chart[side];
    return picture === undefined ? "-" : link(chart.name, picture, pictures);
  };
  const one = (list: readonly ChartChange[]) =>
    table(
      ["chart", ""],
      list.map((chart) => [label(chart), show(chart, "after")]),
    );
  if (!compared) return ["### Charts", one(charts)];
  return [
    "### Charts",
    ...(changed.length === 0
      ? []
      : [
          table(
            ["chart", "before", "after"],
            changed.map((chart) => [label(chart), show(chart, "before"), show(chart, "after")]),
          ),
        ]),
    ...(same.length === 0 ? [] : [folded(`${formatPlural(same.length, "chart")} as before`, one(same))]),
  ];
}

/** `base` is a URL or nothing: a name here needs no escape. */
function link(name: string, { file }: ChartPicture, base: string): string {
  const alternative = printableLine(name).replaceAll(/[^\p{L}\p{N} .,=+-]/gu, "_");
  return `![${alternative}](${base === "" ? "" : base.replace(/\/?$/, "/")}${file})`;
}

function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  numbersFrom = Number.POSITIVE_INFINITY,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, index) => (index < numbersFrom ? "---" : "---:"));
  return [line(titles), line(rule), ...rows.map(line)].join("\n");
}

const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n");

/** Markdown in an HTML element needs the empty lines. */
const folded = (title: string, body: string): string => `<details><summary>${title}</summary>\n\n${body}\n\n</details>`;

/** As a code span, of whatever it consists. */
function code(text: string): string {
  const plain = truncate(printableLine(text.replaceAll(/\s*[\r\n]+\s*/g, " ")), LONGEST_TEXT).trim();
  if (plain === "") return "";
  const longest = Math.max(0, ...[...plain.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const room = longest > 0 ? " " : "";
  return `${fence}${room}${plain}${room}${fence}`;
}

/** In a table a bar ends the cell, in a code span too. */
const cell = (text: string): string => code(text).replaceAll("|", "\\|");
