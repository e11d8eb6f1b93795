/** `pipe show <stage>`: what a stage has produced; with `--path` where its bytes are in the store. */
import { join, relative } from "node:path";
import { pipelineFolderName, readLastRun } from "../execute/last-run.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { JsonObject } from "../json.ts";
import type { StageRecord } from "../record.ts";
import { renderShow } from "../report/render-show.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { openPipeline, type PipelineOptions } from "./open-pipeline.ts";

export interface ShowOptions extends PipelineOptions {
  /** Print store paths: of all files, or of `output/file`. */
  readonly path: string | boolean;
  readonly json: boolean;
}

const CARD_FILE = "card.json";

/** A dataset's card says what it turned out to be: more than was known before it was made. */
function withCards({ artifacts }: Workspace, outputs: StageRecord["outputs"]): StageRecord["outputs"] {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => {
      const card = artifacts.read(output.digest, CARD_FILE);
      if (card === undefined) return [name, output];
      const facts = JSON.parse(new TextDecoder().decode(card)) as JsonObject;
      return [name, { ...output, facts: { ...output.facts, ...facts } }];
    }),
  );
}

export async function showCommand(app: App, words: readonly string[], options: ShowOptions): Promise<ExitCode> {
  const opened = openPipeline(app, words, options);
  if (opened === undefined) return 2;
  const { pipeline, stageNames } = opened;
  if (stageNames.length !== 1)
    throw new UsageError(
      "show takes one stage",
      `its stages are ${pipeline.stages.map(({ name }) => name).join(", ")}`,
    );
  const [name] = stageNames as [string];
  const workspace = await app.openWorkspace(opened.artifactsFolder, { paranoid: false });
  const fingerprint = readLastRun(workspace, pipeline)?.stages[name];
  const trace = fingerprint === undefined ? undefined : workspace.traces.find(fingerprint)[0];
  if (trace === undefined)
    throw new UsageError(`stage ${name} has not run yet`, `run it with: pipe run${opened.commandSuffix} ${name}`);
  const files = Object.fromEntries(
    Object.entries(trace.outputs).map(([output, { digest }]) => [
      output,
      workspace.artifacts.listing(digest)?.files ?? [],
    ]),
  );
  if (options.path !== false) {
    const wanted = options.path === true ? undefined : options.path;
    const found = Object.entries(files).flatMap(([output, listed]) =>
      listed.map((file) => ({ shown: `${output}/${file.path}`, at: workspace.layout.object(file.digest) })),
    );
    const chosen =
      wanted === undefined ? found : found.filter(({ shown }) => shown === wanted || shown.startsWith(`${wanted}/`));
    if (chosen.length === 0)
      throw new UsageError(
        `stage ${name} has no file ${wanted}`,
        `it has ${found.map(({ shown }) => shown).join(", ")}`,
      );
    for (const { shown, at } of chosen) app.out.write(chosen.length === 1 ? `${at}\n` : `${shown}\t${at}\n`);
    return 0;
  }
  const stage = pipeline.stages.find((candidate) => candidate.name === name)!;
  const record: StageRecord = {
    stage: name,
    stageType: stage.type,
    needs: opened.graph.needs.get(name)!,
    outcome: "ran",
    reason: `made by the run ${trace.runId}`,
    fingerprint: trace.fingerprint,
    durationMs: trace.durationMs,
    params: trace.manifest.params,
    outputs: withCards(workspace, trace.outputs),
    metrics: trace.metrics,
    measurements: trace.measurements,
    warnings: trace.warnings,
    ...(trace.engine === undefined ? {} : { engine: trace.engine }),
  };
  if (options.json) {
    app.out.write(`${JSON.stringify({ ...record, files })}\n`);
    return 0;
  }
  const folder = relative(app.cwd, join(opened.artifactsFolder, pipelineFolderName(pipeline), name));
  app.out.write(`${renderShow({ record, files, folder }, { color: app.out.color, columns: app.out.columns() })}\n`);
  return 0;
}
