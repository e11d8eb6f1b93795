import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DagStage, layoutDag } from "../../src/report/dag-layout.ts";
import { renderDagMermaid } from "../../src/report/dag-mermaid.ts";
import { renderDagSvg } from "../../src/report/dag-svg.ts";
import { renderDagText } from "../../src/report/dag-text.ts";

const stages: readonly DagStage[] = [
  { stage: "fetch", stageType: "fetch", needs: [] },
  { stage: "model", stageType: "build-model", needs: [] },
  { stage: "normalize", stageType: "normalize", needs: ["fetch"] },
  { stage: "train", stageType: "train", needs: ["model", "normalize"] },
  { stage: "plot", stageType: "plot", needs: ["train", "fetch"] },
];
const after: readonly DagStage[] = stages.map((stage, i) => ({
  ...stage,
  state: i < 3 ? "fresh" : "ran",
  durationMs: 1000 * i,
}));

/** Any graph: stage i needs some of the stages before it. */
const graphs = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { maxLength: 25 }).map((lists) =>
  lists.map(
    (needs, i): DagStage => ({
      stage: `s${i}`,
      stageType: "any",
      needs: [...new Set(needs.filter((need) => need < i).map((need) => `s${need}`))],
    }),
  ),
);

describe("the layout of a graph", () => {
  it("places every stage to the right of all it needs", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { cells, layers } = layoutDag(graph);
        for (const { stage, needs } of graph) {
          expect(cells.get(stage)!.layer).toBeLessThan(Math.max(1, layers));
          for (const need of needs) expect(cells.get(need)!.layer).toBeLessThan(cells.get(stage)!.layer);
        }
      }),
    );
  });

  it("never lets boxes, or an edge and a box, lie on each other", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { cells, edges, rows } = layoutDag(graph);
        const boxes = [...cells.values()].map((cell) => ({ ...cell, height: 1 }));
        const passing = edges.flatMap(({ through }) => through.map((cell) => ({ ...cell, height: 0.5 })));
        const places = [...boxes, ...passing].sort((a, b) => a.layer - b.layer || a.row - b.row);
        for (const [i, place] of places.entries()) {
          expect(place.row - place.height / 2).toBeGreaterThan(-1e-9);
          expect(place.row + place.height / 2).toBeLessThan(rows + 1e-9);
          const next = places[i + 1];
          if (next?.layer === place.layer)
            expect(next.row - place.row).toBeGreaterThan((next.height + place.height) / 2 - 1e-9);
        }
      }),
    );
  });

  it("has one place in every layer that an edge passes", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { cells, edges } = layoutDag(graph);
        for (const { from, to, through } of edges) {
          const [start, end] = [cells.get(from)!.layer, cells.get(to)!.layer];
          expect(through.map(({ layer }) => layer)).toEqual(
            Array.from({ length: end - start - 1 }, (_, i) => start + 1 + i),
          );
        }
      }),
    );
  });

  it("puts a stage that needs nothing just before the first that needs it", () => {
    expect(layoutDag(stages).cells.get("model")!.layer).toBe(1);
  });

  it("lays out a graph of no stages", () => {
    expect(layoutDag([])).toMatchObject({ layers: 0, rows: 0 });
    expect(renderDagSvg([])).toContain("<svg");
  });
});

describe("a graph as text", () => {
  it("is a line per stage with what it needs", () => {
    expect(renderDagText(stages)).toBe(
      [
        "fetch",
        "model      build-model",
        "normalize               ← fetch",
        "train                   ← model, normalize",
        "plot                    ← train, fetch",
        "",
      ].join("\n"),
    );
  });

  it("has states and durations where they are known", () => {
    expect(renderDagText(after)).toContain("train                   ran    3.0 s  ← model, normalize\n");
  });
});

describe("a graph as Mermaid", () => {
  it("draws every edge once, and escapes what Mermaid would read", () => {
    const text = renderDagMermaid([...after, { stage: 'a "b" <c>', stageType: "./x#1.ts", needs: ["plot", "gone"] }]);
    expect(text).toMatch(/^flowchart LR\n/);
    expect(text.match(/-->/g)).toHaveLength(6);
    expect(text).toContain('s3["train<br/><small>ran · 3.0 s</small>"]:::ran');
    expect(text).toContain('s5["a #34;b#34; #60;c#62;<br/><small>./x#35;1.ts</small>"]');
    expect(text).toContain("classDef fresh ");
  });
});

describe("a graph as SVG", () => {
  it("names stages, states and durations as text", () => {
    const svg = renderDagSvg(after);
    for (const { stage } of after) expect(svg).toContain(`>${stage}</text>`);
    expect(svg).toContain('<tspan class="state">ran</tspan> · 3.0 s');
    expect(svg.match(/class="edge"/g)).toHaveLength(5);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("is the same text each time, and escapes names", () => {
    expect(renderDagSvg(after)).toBe(renderDagSvg(after));
    expect(renderDagSvg([{ stage: "<b>&", stageType: "x", needs: [] }])).toContain("&#60;b&#62;&#38;</text>");
  });
});
