/**
 * The stage graph as one SVG that stands alone, on light and dark ground, on screen and on paper, and that the HTML report
 * takes in as it is. A state has a colour and a word, so it reads in grey.
 */
import type { StageDecision, StageOutcome } from "../record.ts";
import { type DagCell, type DagStage, layoutDag } from "./dag-layout.ts";
import { escapeHtml } from "./escape-html.ts";
import { formatDuration } from "./format-duration.ts";

const NAME_SIZE = 13;
const DETAIL_SIZE = 11;
const BOX_HEIGHT = 46;
const ROW_GAP = 22;
const LAYER_GAP = 52;
const MARGIN = 12;
const BOX_PADDING = 16;

const COLORS: Readonly<Record<StageDecision | StageOutcome, "good" | "calm" | "due" | "bad" | "quiet">> = {
  ran: "good",
  restored: "calm",
  fresh: "calm",
  restore: "calm",
  run: "due",
  pending: "quiet",
  failed: "bad",
  skipped: "quiet",
  interrupted: "due",
};

const STYLE = `
.dag{--dag-box:#fff;--dag-line:#c9d1da;--dag-ink:#1b2430;--dag-soft:#5b6775;--dag-edge:#a5b0bd;
--dag-good:#1a7f5a;--dag-calm:#2f6fb0;--dag-due:#b26a00;--dag-bad:#c2352b;--dag-quiet:#8793a1;
font-family:Inter,system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
@media screen and (prefers-color-scheme:dark){.dag{--dag-box:#1b222c;--dag-line:#384454;--dag-ink:#e8edf3;--dag-soft:#9aa7b6;--dag-edge:#55637a;
--dag-good:#4fc08d;--dag-calm:#6aa9e9;--dag-due:#e0a243;--dag-bad:#f0766c;--dag-quiet:#6d7988}}
.dag .box{fill:var(--dag-box);stroke:var(--dag-line)}
.dag .edge{fill:none;stroke:var(--dag-edge);stroke-width:1.4}
.dag .tip{fill:var(--dag-edge)}
.dag .name{font-size:${NAME_SIZE}px;font-weight:600;fill:var(--dag-ink)}
.dag .detail{font-size:${DETAIL_SIZE}px;fill:var(--dag-soft)}
.dag .state{font-weight:600}
.dag .good .bar{fill:var(--dag-good)}.dag .good .state{fill:var(--dag-good)}
.dag .calm .bar{fill:var(--dag-calm)}.dag .calm .state{fill:var(--dag-calm)}
.dag .due .bar{fill:var(--dag-due)}.dag .due .state{fill:var(--dag-due)}
.dag .bad .bar{fill:var(--dag-bad)}.dag .bad .state{fill:var(--dag-bad)}.dag .bad .box{stroke:var(--dag-bad)}
.dag .quiet .bar{fill:var(--dag-quiet)}.dag .quiet .box{stroke-dasharray:4 3}
`.replaceAll("\n", "");

/** `stages` must come before those that need them. */
export function renderDagSvg(stages: readonly DagStage[]): string {
  const layout = layoutDag(stages);
  const widths = new Array<number>(layout.layers).fill(0);
  for (const stage of stages) {
    const { layer } = layout.cells.get(stage.stage)!;
    widths[layer] = Math.max(widths[layer]!, boxWidth(stage));
  }
  const lefts = widths.map((_, i) => MARGIN + widths.slice(0, i).reduce((sum, width) => sum + width + LAYER_GAP, 0));
  const y = ({ row }: DagCell) => round(MARGIN + row * (BOX_HEIGHT + ROW_GAP) - ROW_GAP / 2);
  const width = MARGIN + widths.reduce((sum, layerWidth) => sum + layerWidth + LAYER_GAP, -LAYER_GAP) + MARGIN;
  const height = 2 * MARGIN + layout.rows * (BOX_HEIGHT + ROW_GAP) - ROW_GAP;
  const edges = layout.edges.map(({ from, to, through }) => {
    const [start, end] = [layout.cells.get(from)!, layout.cells.get(to)!];
    // A passing edge is level over the width of its layer and bends between layers.
    const stops = [
      { x: lefts[start.layer]! + widths[start.layer]!, y: y(start) },
      ...through.flatMap((cell) => [
        { x: lefts[cell.layer]!, y: y(cell) },
        { x: lefts[cell.layer]! + widths[cell.layer]!, y: y(cell) },
      ]),
      { x: lefts[end.layer]! - 6, y: y(end) },
    ];
    const path = stops.map((stop, i) => {
      if (i === 0) return `M${stop.x},${stop.y}`;
      if (i % 2 === 0) return `H${stop.x}`;
      const middle = round((stops[i - 1]!.x + stop.x) / 2);
      return `C${middle},${stops[i - 1]!.y} ${middle},${stop.y} ${stop.x},${stop.y}`;
    });
    const [tipX, tipY] = [lefts[end.layer]!, y(end)];
    return `<path class="edge" d="${path.join("")}"/><path class="tip" d="M${tipX},${tipY}l-8,-4v8z"/>`;
  });
  const boxes = stages.map((stage) => {
    const cell = layout.cells.get(stage.stage)!;
    return renderBox(stage, lefts[cell.layer]!, y(cell), widths[cell.layer]!);
  });
  const size = stages.length === 0 ? [1, 1] : [Math.ceil(width), Math.ceil(height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" class="dag" role="img" aria-label="stage graph" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size[0]} ${size[1]}"><style>${STYLE}</style>${edges.join("")}${boxes.join("")}</svg>\n`;
}

function renderBox(stage: DagStage, left: number, middle: number, width: number): string {
  const top = middle - BOX_HEIGHT / 2;
  const { state } = stage;
  const color = state === undefined ? "plain" : COLORS[state];
  const x = left + BOX_PADDING;
  const detail = detailParts(stage)
    .map((part) => (part === state ? `<tspan class="state">${escapeHtml(part)}</tspan>` : escapeHtml(part)))
    .join(" · ");
  const bar =
    state === undefined
      ? ""
      : `<path class="bar" d="M${left + 4},${top}a4,4 0 0 0 -4,4v${BOX_HEIGHT - 8}a4,4 0 0 0 4,4z"/>`;
  const nameY = detail === "" ? middle + 4.5 : middle - 3.5;
  return (
    `<g class="${color}"><rect class="box" x="${left}" y="${top}" width="${width}" height="${BOX_HEIGHT}" rx="5"/>${bar}` +
    `<text class="name" x="${x}" y="${nameY}">${escapeHtml(stage.stage)}</text>` +
    `${detail === "" ? "" : `<text class="detail" x="${x}" y="${middle + 13.5}">${detail}</text>`}</g>`
  );
}

function detailParts({ stage, stageType, state, durationMs }: DagStage): readonly string[] {
  return [
    ...(stageType === stage ? [] : [stageType]),
    ...(state === undefined ? [] : [state]),
    ...(durationMs === undefined ? [] : [formatDuration(durationMs)]),
  ];
}

/** The viewer's font is not known here: 0.62 em holds the widest common ones. */
function boxWidth(stage: DagStage): number {
  const texts = [stage.stage.length * NAME_SIZE, detailParts(stage).join(" · ").length * DETAIL_SIZE];
  return Math.max(96, Math.ceil(Math.max(...texts) * 0.62) + 2 * BOX_PADDING);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
