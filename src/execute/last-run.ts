/** Which fingerprint each stage of a pipeline had when it last succeeded, per profile: what `why` compares with. */
import { replaceFile } from "../cache/store-layout.ts";
import { digestBytes } from "../identity/digest.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { Workspace } from "./workspace.ts";

export interface LastRun {
  readonly format: "tfpipe/last/1";
  /** The last run that came to its end with something done, or whose record is whole for another reason. */
  readonly runId?: string;
  /** What that run's stages had: another run with the same has the same stages, and need not list them again. */
  readonly runDigest?: string;
  readonly stages: Readonly<Record<string, string>>;
}

/** `resnet34`, `resnet34@quick`, of its sweeps `resnet34@quick+sweep`: the name of a pipeline's visible folder. */
export function pipelineFolderName({ name, profiles, sweep }: Pick<Pipeline, "name" | "profiles" | "sweep">): string {
  return [name, ...profiles].join("@") + (sweep === undefined ? "" : "+sweep");
}

export function readLastRun(
  { files, layout }: Pick<Workspace, "files" | "layout">,
  pipeline: Pick<Pipeline, "name" | "profiles">,
): LastRun | undefined {
  try {
    const text = files.readText(layout.last(pipelineFolderName(pipeline)));
    const last = JSON.parse(text ?? "null") as Partial<LastRun> | null;
    return last?.format === "tfpipe/last/1" ? (last as LastRun) : undefined;
  } catch {
    return undefined;
  }
}

/** Stages that did not succeed keep their earlier fingerprint. Without `runId`, while a run goes on, the last one's stays. */
export function writeLastRun(
  { files, layout }: Pick<Workspace, "files" | "layout">,
  pipeline: Pipeline,
  runId: string | undefined,
  fingerprints: ReadonlyMap<string, string>,
): void {
  const before = readLastRun({ files, layout }, pipeline);
  const last: Omit<LastRun, "stages"> = {
    format: "tfpipe/last/1",
    ...(runId === undefined ? runOf(before) : { runId, runDigest: digestOfRun(fingerprints) }),
  };
  const stages = new Map([...Object.entries(before?.stages ?? {}), ...fingerprints]);
  const text = `${JSON.stringify(last).slice(0, -1)},"stages":${mapJson(stages)}}`;
  replaceFile(files, layout, layout.last(pipelineFolderName(pipeline)), text);
}

/** As JSON of the object that has these keys; an object of thousands would take long to make. */
function mapJson(map: ReadonlyMap<string, string>): string {
  return `{${[...map].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
}

function runOf(last: LastRun | undefined): Pick<LastRun, "runId" | "runDigest"> {
  if (last?.runId === undefined) return {};
  return { runId: last.runId, ...(last.runDigest === undefined ? {} : { runDigest: last.runDigest }) };
}

/** Of the fingerprints that a run's stages had. */
export function digestOfRun(fingerprints: ReadonlyMap<string, string>): string {
  const inOrder = [...fingerprints].sort(([a], [b]) => (a < b ? -1 : 1));
  return digestBytes(JSON.stringify(inOrder));
}
