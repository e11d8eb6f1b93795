/**
 * The trials of a sweep as a parallel-coordinates chart: an axis per param and one for what trials are judged by, a line per
 * trial. The bluer the better, and the best one is orange, in Okabe and Ito's colours (2008), which people with any colour
 * vision tell apart. The places on the axes are worked out here: Vega-Lite has one scale for all.
 */
import type { Loader } from "vega";
import type { TopLevelSpec } from "vega-lite";
import type { JsonObject, JsonValue } from "../../json.ts";
import type { SweepRecord, TrialRecord } from "../../record.ts";
import { formatPlural } from "../format-count.ts";
import { bestTrial, metricText, rankTrials, shownMetrics, valueText } from "../render-sweep.ts";
import type { ReportChart } from "./report-charts.ts";

export const SWEEP_CHART = "trials";

const COLORS = { worse: "#b9c6d3", better: "#0072b2", best: "#d55e00", none: "#8793a1" };
/** Of plain values that lie on a logarithm's axis: the largest is so many times the smallest. */
const MANY_TIMES = 50;
const MOST_TICKS = 7;
const LONGEST_LABEL = 22;
/** In a chart of more lines nobody sees one. */
const MOST_LINES = 500;

/** Undefined where there is nothing to compare: one trial. */
export async function drawSweepChart(sweep: SweepRecord, pipeline: string): Promise<ReportChart | undefined> {
  if (sweep.trials.length < 2) return undefined;
  const trials = rankTrials(sweep).slice(0, MOST_LINES);
  const axes = [
    ...sweep.params.map((name) => placeValues(name, trials, ({ values }) => values[name], valueText)),
    ...shownMetrics(sweep).map((name) =>
      placeValues(
        name,
        trials,
        ({ metrics }) => metrics[name],
        (value) => metricText(name, Number(value)),
      ),
    ),
  ];
  const { objective } = sweep;
  const best = bestTrial(sweep);
  // What is drawn last lies on top: the best.
  const lines = trials.toReversed().flatMap((trial) =>
    axes.flatMap((axis, order): JsonObject[] => {
      const place = axis.places.get(trial);
      if (place === undefined) return [];
      // By its place on the objective's axis, which a few very bad ones do not press together.
      const height = objective === undefined ? undefined : axes.at(-1)!.places.get(trial);
      const judged = height === undefined ? {} : { height: height.place, objective: height.value };
      const isBest = trial === best;
      return [{ trial: trial.name, state: trial.state, axis: axis.name, order, ...place, ...judged, isBest }];
    }),
  );
  const ticks = axes.flatMap(({ name, ticks: own }) => own.map((tick): JsonObject => ({ axis: name, ...tick })));
  const data: JsonObject = { lines, ticks };
  const spec = specOf(
    sweep,
    pipeline,
    axes.map(({ name }) => name),
    best,
  );
  return {
    stage: "sweep",
    name: SWEEP_CHART,
    title: "Trials",
    source: { grammar: "vega-lite", spec, data },
    svg: await renderStill(spec, data),
  };
}

interface Place {
  /** From 0, at the bottom, to 1. */
  readonly place: number;
  readonly value: string;
}

interface ChartAxis {
  readonly name: string;
  readonly places: ReadonlyMap<TrialRecord, Place & JsonObject>;
  readonly ticks: readonly (JsonObject & { readonly place: number; readonly label: string })[];
}

function placeValues(
  name: string,
  trials: readonly TrialRecord[],
  read: (trial: TrialRecord) => JsonValue | undefined,
  textOf: (value: JsonValue) => string,
): ChartAxis {
  const valued = trials.flatMap((trial) => {
    const value = read(trial);
    return value === undefined ? [] : [[trial, value] as const];
  });
  const values = valued.map(([, value]) => value);
  const isNumeric = values.every((value) => typeof value === "number");
  const scale = isNumeric ? numericScale(values as number[], textOf) : namedScale(values, textOf);
  return {
    name,
    places: new Map(valued.map(([trial, value]) => [trial, { place: scale.place(value), value: textOf(value) }])),
    ticks: scale.ticks.map((value) => ({ place: scale.place(value), label: shorten(textOf(value)) })),
  };
}

interface Scale {
  place(value: JsonValue): number;
  readonly ticks: readonly JsonValue[];
}

function numericScale(values: readonly number[], textOf: (value: JsonValue) => string): Scale {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const isLog = low > 0 && high / low >= MANY_TIMES;
  const along = (value: number): number => (isLog ? Math.log10(value) : value);
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const ticks =
    distinct.length <= MOST_TICKS && haveRoom(distinct.map(along))
      ? distinct
      : isLog
        ? decades(low, high)
        : steps(low, high);
  // A text that says no more than its neighbour's is none.
  const told = new Set<string>();
  return {
    place: (value) => (high === low ? 0.5 : (along(Number(value)) - along(low)) / (along(high) - along(low))),
    ticks: ticks.filter((tick) => !told.has(textOf(tick)) && told.add(textOf(tick)).size > 0),
  };
}

/** Whether texts at these places do not lie upon each other. */
function haveRoom(places: readonly number[]): boolean {
  const span = places.at(-1)! - places[0]!;
  return places.every((place, i) => i === 0 || place - places[i - 1]! >= 0.055 * span);
}

/** The ends, and the powers of ten between them that are not too near. */
function decades(low: number, high: number): readonly number[] {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const inner = Array.from({ length: Math.floor(to) - Math.ceil(from) + 1 }, (_, i) => Math.ceil(from) + i);
  const kept = inner.filter((power) => power - from > 0.08 * (to - from) && to - power > 0.08 * (to - from));
  return [low, ...kept.map((power) => Number(`1e${power}`)), high];
}

function steps(low: number, high: number): readonly number[] {
  return Array.from({ length: 5 }, (_, i) => Number((low + (i * (high - low)) / 4).toPrecision(4)));
}

function namedScale(values: readonly JsonValue[], textOf: (value: JsonValue) => string): Scale {
  const byText = new Map(values.map((value) => [textOf(value), value]));
  const texts = [...byText.keys()].sort((a, b) => (a < b ? 1 : -1));
  return {
    place: (value) => (texts.length === 1 ? 0.5 : texts.indexOf(textOf(value)) / (texts.length - 1)),
    ticks: texts.length > 4 * MOST_TICKS ? [] : texts.map((text) => byText.get(text)!),
  };
}

function shorten(text: string): string {
  return text.length <= LONGEST_LABEL ? text : `${text.slice(0, LONGEST_LABEL - 1)}…`;
}

function specOf(
  sweep: SweepRecord,
  pipeline: string,
  axes: readonly string[],
  best: TrialRecord | undefined,
): JsonObject {
  const { objective } = sweep;
  const x: JsonObject = {
    field: "axis",
    type: "nominal",
    scale: { type: "point", domain: axes, padding: 0.42 },
    axis: {
      orient: "top",
      title: null,
      labelAngle: 0,
      labelFontSize: 12,
      labelFontWeight: 600,
      labelLimit: 300,
      labelPadding: 12,
      domain: false,
      ticks: false,
    },
  };
  const y: JsonObject = { field: "place", type: "quantitative", scale: { domain: [0, 1], nice: false }, axis: null };
  const tooltip: JsonValue = [
    { field: "trial", type: "nominal", title: "trial" },
    { field: "state", type: "nominal", title: "state" },
    ...(objective === undefined ? [] : [{ field: "objective", type: "nominal", title: objective.metric }]),
  ];
  const line = (filter: string, color: JsonObject, mark: JsonObject): JsonObject => ({
    data: table("lines"),
    transform: [{ filter }],
    mark: { type: "line", interpolate: "linear", strokeCap: "round", ...mark },
    encoding: {
      x,
      y,
      detail: { field: "trial", type: "nominal" },
      order: { field: "order", type: "quantitative" },
      color,
      tooltip,
    },
  });
  const range = objective?.mode === "min" ? [COLORS.better, COLORS.worse] : [COLORS.worse, COLORS.better];
  const judged: JsonObject =
    objective === undefined
      ? { value: COLORS.better }
      : {
          field: "height",
          type: "quantitative",
          scale: { domain: [0, 1], range, interpolate: "lab" },
          legend: null,
        };
  const isJudged = objective === undefined ? "true" : "isValid(datum.height)";
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: {
      text: `${formatPlural(sweep.trials.length, "trial")} of ${pipeline}`,
      ...(best === undefined
        ? {}
        : {
            subtitle: [
              `best, in orange: ${bestText(best, objective!.metric)}`,
              sweep.trials.every(({ metrics }) => metrics[objective!.metric] !== undefined)
                ? "the bluer, the better"
                : "the bluer, the better; dashed: without a result",
            ],
          }),
    },
    width: Math.max(420, 190 * axes.length),
    height: 320,
    layer: [
      {
        data: table("ticks"),
        transform: [{ aggregate: [{ op: "count", as: "ticks" }], groupby: ["axis"] }],
        mark: { type: "rule", color: COLORS.none, opacity: 0.5 },
        encoding: { x },
      },
      line(`!(${isJudged})`, { value: COLORS.none }, { strokeDash: [4, 4], strokeWidth: 1.2, opacity: 0.8 }),
      line(isJudged, judged, { strokeWidth: 1.8, opacity: 0.85 }),
      line("datum.isBest", { value: COLORS.best }, { strokeWidth: 3.2 }),
      {
        data: table("lines"),
        transform: [{ filter: "datum.isBest" }],
        mark: { type: "point", filled: true, size: 46, color: COLORS.best, opacity: 1 },
        encoding: {
          x,
          y,
          tooltip: [
            { field: "axis", type: "nominal" },
            { field: "value", type: "nominal" },
          ],
        },
      },
      {
        data: table("ticks"),
        mark: { type: "tick", orient: "horizontal", width: 8, thickness: 1, color: COLORS.none },
        encoding: { x, y },
      },
      ...labels(axes.at(-1)!, { x, y }),
    ],
    config: CONFIG,
  };
}

/** Before their axis; behind the last one, where no line goes on. */
function labels(last: string, place: JsonObject): readonly JsonObject[] {
  const side = (filter: string, mark: JsonObject): JsonObject => ({
    data: table("ticks"),
    transform: [{ filter }],
    mark: { type: "text", baseline: "middle", fontSize: 11, ...mark },
    encoding: { ...place, text: { field: "label", type: "nominal" } },
  });
  const isLast = `datum.axis === ${JSON.stringify(last)}`;
  const before = { align: "right", dx: -8 };
  // Lines run behind it: beneath, the same text with an edge in the page's colour.
  const halo = { ...before, style: "halo", strokeWidth: 4, strokeJoin: "round" };
  return [side(`!(${isLast})`, halo), side(`!(${isLast})`, before), side(isLast, { align: "left", dx: 8 })];
}

function bestText(trial: TrialRecord, metric: string): string {
  const values = Object.entries(trial.values).map(([name, value]) => `${name} ${shorten(valueText(value))}`);
  return `${values.join(", ")}: ${metric} ${metricText(metric, trial.metrics[metric])}`;
}

const CONFIG: JsonObject = {
  font: "Inter, Arial, sans-serif",
  background: "#ffffff",
  padding: 18,
  view: { stroke: null },
  title: {
    anchor: "start",
    frame: "group",
    fontSize: 17,
    fontWeight: 600,
    offset: 16,
    color: "#1f2733",
    subtitleColor: "#56616f",
    subtitleFontSize: 12,
    subtitlePadding: 5,
  },
  axis: { labelColor: "#1f2733" },
  text: { color: "#1f2733" },
  style: { halo: { stroke: "#ffffff" } },
};

const DATA_FILE = `${SWEEP_CHART}.data.json`;

function table(name: string): JsonObject {
  return { name, url: DATA_FILE, format: { type: "json", property: name } };
}

/** For where no script runs. Vega estimates how wide texts are. */
async function renderStill(spec: JsonObject, data: JsonObject): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const { spec: compiled } = vegaLite.compile(spec as unknown as TopLevelSpec);
  const load = async () => JSON.stringify(data);
  const sanitize = async (uri: string) => ({ href: uri });
  const loader = { load, sanitize, http: load, file: load } as unknown as Loader;
  // Vega counts what it defines in a global: same chart, same text.
  vega.resetSVGDefIds();
  const view = new vega.View(vega.parse(compiled), { renderer: "none", loader });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
