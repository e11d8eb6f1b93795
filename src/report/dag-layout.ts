/**
 * Where the stages of a graph are drawn: layers by longest path, order within a layer by barycentres (Sugiyama, Tagawa
 * and Toda 1981), then rows pulled towards their neighbours. Edges that pass a layer get a place of their own in it, so
 * that they never run under a box. The same graph always gives the same drawing.
 */
import type { StageDecision, StageOutcome } from "../record.ts";

export interface DagStage {
  readonly stage: string;
  readonly stageType: string;
  /** Names of stages; those that are not in the list are left out. */
  readonly needs: readonly string[];
  readonly state?: StageDecision | StageOutcome;
  readonly durationMs?: number;
}

/** A stage, or the place where an edge passes a layer. */
export interface DagCell {
  readonly layer: number;
  /** Vertical middle, in rows from the top; fractions occur. */
  readonly row: number;
}

export interface DagLayout {
  readonly layers: number;
  /** Height of the drawing in rows. */
  readonly rows: number;
  readonly cells: ReadonlyMap<string, DagCell>;
  readonly edges: readonly DagEdge[];
}

export interface DagEdge {
  readonly from: string;
  readonly to: string;
  /** Places passed between the two, from left to right. */
  readonly through: readonly DagCell[];
}

interface Place {
  readonly layer: number;
  readonly stage: string | undefined;
  readonly before: Place[];
  readonly after: Place[];
  row: number;
}

/** A passing edge needs less height than a box. */
const EDGE_ROWS = 0.5;

/** `stages` must come before those that need them. */
export function layoutDag(stages: readonly DagStage[]): DagLayout {
  const layerOf = assignLayers(stages);
  const layers: Place[][] = Array.from({ length: Math.max(0, ...layerOf.values()) + 1 }, () => []);
  const addPlace = (layer: number, stage: string | undefined): Place => {
    const place: Place = { layer, stage, before: [], after: [], row: 0 };
    layers[layer]!.push(place);
    return place;
  };
  const placeOf = new Map(stages.map(({ stage }) => [stage, addPlace(layerOf.get(stage)!, stage)]));
  const paths = stages.flatMap((stage) =>
    knownNeeds(stage, placeOf).map((need) => {
      const [from, to] = [placeOf.get(need)!, placeOf.get(stage.stage)!];
      const through: Place[] = [];
      for (let layer = from.layer + 1; layer < to.layer; layer++) through.push(addPlace(layer, undefined));
      [from, ...through, to].reduce((left, right) => {
        left.after.push(right);
        right.before.push(left);
        return right;
      });
      return { from: need, to: stage.stage, through };
    }),
  );
  orderLayers(layers);
  const rows = assignRows(layers);
  const cell = ({ layer, row }: Place): DagCell => ({ layer, row });
  return {
    layers: stages.length === 0 ? 0 : layers.length,
    rows,
    cells: new Map([...placeOf].map(([stage, place]) => [stage, cell(place)])),
    edges: paths.map(({ from, to, through }) => ({ from, to, through: through.map(cell) })),
  };
}

/** Each stage one layer after the last it needs; one that needs nothing stands just before the first that needs it. */
function assignLayers(stages: readonly DagStage[]): ReadonlyMap<string, number> {
  const layers = new Map<string, number>();
  for (const stage of stages) {
    const needed = knownNeeds(stage, layers).map((need) => layers.get(need)!);
    layers.set(stage.stage, needed.length === 0 ? 0 : Math.max(...needed) + 1);
  }
  const firstUse = new Map<string, number>();
  for (const { stage, needs } of stages)
    for (const need of needs) firstUse.set(need, Math.min(firstUse.get(need) ?? Infinity, layers.get(stage)!));
  for (const stage of stages)
    if (knownNeeds(stage, layers).length === 0) layers.set(stage.stage, (firstUse.get(stage.stage) ?? 1) - 1);
  return layers;
}

function knownNeeds(stage: DagStage, known: ReadonlyMap<string, unknown>): readonly string[] {
  return [...new Set(stage.needs)].filter((need) => known.has(need));
}

/** Sweeps over the layers, sorting each by the mean position of its neighbours in the layer swept before. */
function orderLayers(layers: readonly Place[][]): void {
  const renumber = (layer: readonly Place[]) => {
    for (const [i, place] of layer.entries()) place.row = i;
  };
  layers.forEach(renumber);
  for (let sweep = 0; sweep < 6; sweep++) {
    const forward = sweep % 2 === 0;
    for (const layer of forward ? layers : layers.toReversed()) {
      const weights = new Map(layer.map((place) => [place, mean(forward ? place.before : place.after) ?? place.row]));
      layer.sort((a, b) => weights.get(a)! - weights.get(b)!);
      renumber(layer);
    }
  }
}

/** Rows from the order: every place near its neighbours, none nearer to the next one than it may be. */
function assignRows(layers: readonly Place[][]): number {
  const height = (place: Place) => (place.stage === undefined ? EDGE_ROWS : 1);
  for (let sweep = 0; sweep < 8; sweep++)
    for (const layer of sweep % 2 === 0 ? layers : layers.toReversed()) {
      const wanted = layer.map((place) => mean([...place.before, ...place.after]) ?? place.row);
      // From both ends, then the middle of the two: neither end is pushed off by the other.
      const down: number[] = [];
      for (const [i, place] of layer.entries()) {
        const least = i === 0 ? -Infinity : down[i - 1]! + (height(layer[i - 1]!) + height(place)) / 2;
        down.push(Math.max(wanted[i]!, least));
      }
      const up: number[] = [];
      for (let i = layer.length - 1; i >= 0; i--) {
        const most = i === layer.length - 1 ? Infinity : up[i + 1]! - (height(layer[i + 1]!) + height(layer[i]!)) / 2;
        up[i] = Math.min(wanted[i]!, most);
      }
      for (const [i, place] of layer.entries()) place.row = (down[i]! + up[i]!) / 2;
    }
  const places = layers.flat();
  const top = Math.min(...places.map((place) => place.row - height(place) / 2));
  for (const place of places) place.row -= top;
  return Math.max(0, ...places.map((place) => place.row + height(place) / 2));
}

function mean(places: readonly Place[]): number | undefined {
  return places.length === 0 ? undefined : places.reduce((sum, { row }) => sum + row, 0) / places.length;
}
