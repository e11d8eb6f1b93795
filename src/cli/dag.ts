/** `pipe dag`: the stage graph as text, Mermaid or SVG. */
import { renderDagMermaid } from "../report/dag-mermaid.ts";
import { renderDagSvg } from "../report/dag-svg.ts";
import { renderDagText } from "../report/dag-text.ts";
import type { App, ExitCode } from "./app.ts";
import { openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";

export interface DagOptions extends PipelineOptions {
  readonly format: "text" | "mermaid" | "svg";
}

export async function dagCommand(app: App, words: readonly string[], options: DagOptions): Promise<ExitCode> {
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const types = new Map(opened.pipeline.stages.map(({ name, type }) => [name, type]));
  const stages = opened.selected.map((name) => ({
    stage: name,
    stageType: types.get(name)!,
    needs: opened.graph.needs.get(name)!,
  }));
  const render = { text: renderDagText, mermaid: renderDagMermaid, svg: renderDagSvg }[options.format];
  app.out.write(`${render(stages).trimEnd()}\n`);
  return 0;
}
