/**
 * A stage's inputs once what makes them is done: what of them enters its key, and where they can be read. `plan` and the
 * executor both ask here, so that a key is the same in both.
 */
import { basename, join } from "node:path";
import type { ArtifactPaths, ArtifactReference } from "../cache/artifact-store.ts";
import { digestPath, UnfitForArtifact } from "../identity/artifact-digest.ts";
import { digestBytes } from "../identity/digest.ts";
import { canonicalJson } from "../json.ts";
import type { InputSource, PipelineStage } from "../language/pipeline.ts";
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import { findProgram } from "../platform/find-program.ts";
import type { Workspace } from "./workspace.ts";

/** What of the world around a stage enters its key. */
export interface KeyedInputs {
  /** Artifact digest by port. */
  readonly digests: Readonly<Record<string, string>>;
  /** Of a shell stage, whose command sees names: the file's name by port, `""` where the input is a folder. */
  readonly places: Readonly<Record<string, string>>;
  /** Of a shell stage: the digest of the program file, by listed tool. */
  readonly tools: Readonly<Record<string, string>>;
}

export interface StageInputs {
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  readonly keyed: KeyedInputs;
  /** Of every file of the user's among them: its stat before it was digested. */
  readonly watched: ReadonlyMap<string, FileStat>;
}

type InputParts = Pick<Workspace, "files" | "memo" | "artifacts" | "searchPath">;

/** An output of a stage that is done. */
type OutputOf = (stage: string, output: string) => ArtifactReference;

/** Throws `UnfitForArtifact` where a path cannot be read, or a listed tool is not there. */
export async function keyStageInputs(
  workspace: InputParts,
  stage: PipelineStage,
  outputOf: OutputOf,
): Promise<KeyedInputs> {
  return (await openStageInputs(workspace, stage, outputOf)).keyed;
}

/** `traces` has those of every stage that this one reads. Throws as `keyStageInputs` does. */
export async function readStageInputs(
  workspace: InputParts,
  stage: PipelineStage,
  traces: ReadonlyMap<string, { readonly outputs: Readonly<Record<string, ArtifactReference>> }>,
): Promise<StageInputs> {
  const watched = new Map<string, FileStat>();
  const outputOf = (name: string, output: string) => traces.get(name)!.outputs[output]!;
  const { keyed, locate } = await openStageInputs(workspace, stage, outputOf, watched);
  return { keyed, inputs: locate(), watched };
}

interface OpenedInput {
  readonly digest: string;
  readonly place: string;
  /** Where its files are; only who reads them asks. */
  readonly locate: () => ArtifactPaths;
}

async function openStageInputs(
  workspace: InputParts,
  stage: PipelineStage,
  outputOf: OutputOf,
  watched?: Map<string, FileStat>,
) {
  const opened: [string, OpenedInput][] = [];
  for (const [port, source] of Object.entries(stage.inputs))
    opened.push([port, await openInput(workspace, source, outputOf, stage.command !== undefined, watched)]);
  const of = <T>(part: (input: OpenedInput) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(opened.map(([port, input]) => [port, part(input)]));
  const keyed: KeyedInputs = {
    digests: of(({ digest }) => digest),
    places: stage.command === undefined ? {} : of(({ place }) => place),
    tools: await digestTools(workspace, stage),
  };
  return { keyed, locate: () => of(({ locate }) => locate()) };
}

async function openInput(
  { files, memo, artifacts }: InputParts,
  source: InputSource,
  outputOf: OutputOf,
  named: boolean,
  watched: Map<string, FileStat> | undefined,
): Promise<OpenedInput> {
  if (source.from === "stage") {
    const output = outputOf(source.stage, source.output);
    const isFile = named && output.kind === FILE_KIND;
    const listed = isFile ? (artifacts.listing(output.digest)?.files ?? []) : [];
    return {
      digest: output.digest,
      place: listed.length === 1 ? listed[0]!.path : "",
      locate: () => artifacts.locate(output),
    };
  }
  if (source.from === "instances") {
    const members = collectMembers(source, outputOf);
    const digest = digestCollection(members);
    const references = () =>
      Object.fromEntries(Object.entries(members).map(([name, member]) => [name, artifacts.locate(member)]));
    return {
      digest,
      place: "",
      locate: () => ({ kind: COLLECTION_KIND, digest, files: [], references: references() }),
    };
  }
  // A link to data is as good as the data; links inside a folder are refused, since they lead out of it.
  const path = files.stat(source.path)?.kind === "link" ? files.resolveLink(source.path) : source.path;
  if (watched !== undefined) watchFiles(files, path, watched);
  const { digest, form, listing } = await digestPath(files, memo, path);
  const located = listing.files.map((file) => ({
    path: file.path,
    sizeBytes: file.sizeBytes,
    digest: file.digest,
    at: file.path === "" ? path : join(path, file.path),
  }));
  return {
    digest,
    place: form === "file" ? basename(source.path) : "",
    locate: () => ({ kind: "path", digest, files: located, references: {} }),
  };
}

/** The kind of what is one file: a command gets the file itself, and not the folder that holds it. */
export const FILE_KIND = "file";

/** What `stage@*` gives: no files of its own, and every instance's output as a reference by the instance's name. */
export const COLLECTION_KIND = "collection";

function collectMembers(
  { members }: InputSource & { readonly from: "instances" },
  outputOf: OutputOf,
): Readonly<Record<string, ArtifactReference>> {
  return Object.fromEntries(
    members.map(({ name, stage, output }) => {
      const { kind, digest } = outputOf(stage, output);
      return [name, { kind, digest }];
    }),
  );
}

/** The digest of a collection: of its members' names, kinds and digests. */
export function digestCollection(members: Readonly<Record<string, ArtifactReference>>): string {
  return digestBytes(`tfpipe/collection/1\n${canonicalJson(members as never)}`);
}

async function digestTools(
  { files, memo, searchPath }: InputParts,
  { command, env }: PipelineStage,
): Promise<Readonly<Record<string, string>>> {
  const tools: Record<string, string> = {};
  for (const tool of command?.tools ?? []) {
    const path = findProgram(files, tool, { searchPath: env.PATH ?? searchPath, folder: command!.folder });
    if (path === undefined)
      throw new UnfitForArtifact(
        tool,
        "is listed under tools, and there is no such program",
        "PATH leads to no such file",
      );
    tools[tool] = await memo.digest(path);
  }
  return tools;
}

function watchFiles(files: FileSystem, path: string, watched: Map<string, FileStat>): void {
  const stat = files.stat(path);
  if (stat === undefined) return;
  watched.set(path, stat);
  if (stat.kind === "folder") for (const name of files.list(path)) watchFiles(files, join(path, name), watched);
}
