/** `pipe export <stage>[.output] --to <target>`: a stage's model for PyTorch or the browser. Computes nothing again. */
import { join, relative, resolve } from "node:path";
import { type ArtifactReference, openArtifact } from "../cache/artifact-store.ts";
import { DamagedObject } from "../cache/object-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { Artifact } from "../contract.ts";
import { pipelineFolderName, readLastRun } from "../execute/last-run.ts";
import type { Workspace } from "../execute/workspace.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { type ExportedDataset, type ExportedFile, ExportRefused, type ExportTarget } from "./model-exporter.ts";
import { type OpenedPlan, openPlan } from "./open-plan.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { quoteWord } from "./quote-word.ts";

export interface ExportOptions extends PipelineOptions {
  readonly to: ExportTarget;
  /** Folder to write to. Left out: `<pipeline>-<stage>-<target>` here. */
  readonly out?: string;
  /** Replace files that exist. */
  readonly force: boolean;
  readonly json: boolean;
}

export async function exportCommand(app: App, words: readonly string[], options: ExportOptions): Promise<ExitCode> {
  const { plain, outputName } = splitOutputName(words);
  const planned = await openPlan(app, plain, options);
  if (planned === undefined) return 2;
  const { stage, trace } = findTrace(app, planned);
  const { output, reference } = findModel(planned, stage, trace, outputName);
  const folder = resolve(
    app.cwd,
    options.out ?? [pipelineFolderName(planned.opened.pipeline), stage, options.to].join("-"),
  );
  const shown = relative(app.cwd, folder) || ".";
  refuseOverwriting(app, folder, shown, options.force);

  const model = await openVerified(planned.workspace, reference);
  const dataset = await findDataset(planned.workspace, trace);
  let files: readonly string[];
  try {
    const made = await app.exporter.export({ target: options.to, model, dataset });
    files = writeExport(app, folder, made);
  } catch (error) {
    if (error instanceof ExportRefused) throw new UsageError(error.message, error.help);
    throw error;
  }
  app.out.write(
    options.json
      ? `${JSON.stringify({ stage, output, target: options.to, digest: reference.digest, folder: shown, files })}\n`
      : `exported ${stage}.${output} to ${shown}/ (${files.length} files; README.md says how to load it)\n`,
  );
  return 0;
}

/** `train.model` names an output as in a pipeline; words with a slash or of a YAML file are paths. */
function splitOutputName(words: readonly string[]): {
  readonly plain: readonly string[];
  readonly outputName: string | undefined;
} {
  const last = words.at(-1);
  const match = last === undefined || /\.ya?ml$/.test(last) ? null : /^([^./\\]+)\.([^./\\]+)$/.exec(last);
  if (match === null) return { plain: words, outputName: undefined };
  return { plain: [...words.slice(0, -1), match[1]!], outputName: match[2]! };
}

/** What the stage made: as the pipeline now says, or else in its last run, with a note that this is so. */
function findTrace(
  app: App,
  { opened, workspace, plan }: OpenedPlan,
): { readonly stage: string; readonly trace: Trace } {
  const { pipeline, stageNames, commandSuffix } = opened;
  if (stageNames.length !== 1)
    throw new UsageError(
      "export takes one stage",
      `name one that makes a model: ${stagesWithModel(opened).join(", ") || "this pipeline has none"}`,
    );
  const [stage] = stageNames as [string];
  const planned = plan.find((candidate) => candidate.stage === stage)!;
  const now = planned.trace;
  const isThat = ({ runId, madeAt }: Trace) => runId === now?.runId && madeAt === now.madeAt;
  const trace = now === undefined ? undefined : workspace.traces.find(now.fingerprint).find(isThat);
  if (trace !== undefined) return { stage, trace };
  const fingerprint = readLastRun(workspace, pipeline)?.stages[stage];
  const last = fingerprint === undefined ? undefined : workspace.traces.find(fingerprint)[0];
  const run = `pipe run${commandSuffix} ${quoteWord(stage)}`;
  if (last === undefined) throw new UsageError(`stage ${stage} has not run yet`, `run it with: ${run}`);
  app.err.write(
    `note: stage ${stage} is not up to date (${planned.reason}); this is what run ${last.runId} made\n  help: ${run}\n`,
  );
  return { stage, trace: last };
}

function findModel(
  { opened }: OpenedPlan,
  stage: string,
  trace: Trace,
  wanted: string | undefined,
): { readonly output: string; readonly reference: ArtifactReference } {
  const outputs = Object.entries(trace.outputs);
  const models = outputs.filter(([, { kind }]) => kind === "model");
  const found = wanted === undefined ? models[0] : outputs.find(([name]) => name === wanted);
  if (wanted !== undefined && found === undefined)
    throw new UsageError(
      `stage ${stage} has no output ${wanted}`,
      `it has ${outputs.map(([name]) => name).join(", ")}`,
    );
  if (found === undefined || found[1].kind !== "model")
    throw new UsageError(
      found === undefined ? `stage ${stage} makes no model` : `${stage}.${found[0]} is no model but ${found[1].kind}`,
      `models are made by ${stagesWithModel(opened).join(", ") || "no stage of this pipeline"}`,
    );
  return { output: found[0], reference: found[1] };
}

function stagesWithModel({ pipeline }: OpenedPlan["opened"]): readonly string[] {
  return pipeline.stages.flatMap(({ name, outputs }) =>
    Object.values(outputs).some(({ kind }) => kind === "model") ? [name] : [],
  );
}

function refuseOverwriting({ files }: App, folder: string, shown: string, force: boolean): void {
  const kind = files.stat(files.resolveLink(folder))?.kind;
  if (kind !== undefined && kind !== "folder")
    throw new UsageError(`${shown} is not a folder`, "--out names the folder to write to");
  if (!force && files.list(folder).length > 0)
    throw new UsageError(
      `${shown} exists and is not empty`,
      "--force replaces files in it, --out names another folder",
    );
}

/** Reads every byte that will be exported: what leaves the store is what its name says. */
async function openVerified({ artifacts }: Workspace, reference: ArtifactReference): Promise<Artifact> {
  const damaged = await artifacts.inspect(reference.digest, true);
  if (damaged !== undefined) throw new DamagedObject(damaged.digest, damaged.state);
  return openArtifact(artifacts.locate(reference));
}

/** Of the stage's inputs one that was normalised; not `train` if there is another, since its transforms are random. */
async function findDataset(workspace: Workspace, { manifest }: Trace): Promise<ExportedDataset | undefined> {
  const normalised = Object.entries(manifest.inputs).filter(([, digest]) =>
    workspace.artifacts.listing(digest)?.files.some(({ path }) => path === "transform.json"),
  );
  const chosen = normalised.find(([port]) => port !== "train") ?? normalised[0];
  if (chosen === undefined) return undefined;
  const [port, digest] = chosen;
  const damaged = await workspace.artifacts.inspect(digest);
  if (damaged !== undefined) throw new DamagedObject(damaged.digest, damaged.state);
  const artifact = openArtifact(workspace.artifacts.locate({ kind: "dataset", digest }));
  return { artifact, forEvaluation: port !== "train" };
}

/** Everything is written beside the folder first, then moved in: nobody sees half of it. */
function writeExport({ files, newRunId }: App, folder: string, made: Iterable<ExportedFile>): readonly string[] {
  const staged = `${folder}.${newRunId()}.tmp`;
  const names: string[] = [];
  try {
    files.makeFolder(staged);
    for (const { name, content } of made) {
      files.writeNew(join(staged, name), content);
      names.push(name);
    }
    files.makeFolder(folder);
    for (const name of names) files.rename(join(staged, name), join(folder, name));
  } finally {
    files.remove(staged);
  }
  return names;
}
