/** A stage's inputs once what makes them is done: where they can be read, and the digests that enter its key. */
import { join } from "node:path";
import type { ArtifactPaths, ArtifactReference } from "../cache/artifact-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import { digestPath } from "../identity/artifact-digest.ts";
import { digestBytes } from "../identity/digest.ts";
import { canonicalJson } from "../json.ts";
import type { InputSource, PipelineStage } from "../language/pipeline.ts";
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import type { Workspace } from "./workspace.ts";

export interface StageInputs {
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  readonly digests: Readonly<Record<string, string>>;
  /** Of every file of the user's among them: its stat before it was digested. */
  readonly watched: ReadonlyMap<string, FileStat>;
}

/** `traces` has those of every stage that this one needs. Throws `UnfitForArtifact` where a path cannot be read. */
export async function readStageInputs(
  { files, memo, artifacts }: Workspace,
  stage: PipelineStage,
  traces: ReadonlyMap<string, Trace>,
): Promise<StageInputs> {
  const inputs: Record<string, ArtifactPaths> = {};
  const digests: Record<string, string> = {};
  const watched = new Map<string, FileStat>();
  for (const [port, source] of Object.entries(stage.inputs)) {
    if (source.from === "stage") {
      const output = traces.get(source.stage)!.outputs[source.output]!;
      inputs[port] = artifacts.locate(output);
      digests[port] = output.digest;
      continue;
    }
    if (source.from === "instances") {
      const members = collectMembers(source, (stageName, name) => traces.get(stageName)!.outputs[name]!);
      digests[port] = digestCollection(members);
      inputs[port] = {
        kind: COLLECTION_KIND,
        digest: digests[port],
        files: [],
        references: Object.fromEntries(
          Object.entries(members).map(([name, member]) => [name, artifacts.locate(member)]),
        ),
      };
      continue;
    }
    // A link to data is as good as the data; links inside a folder are refused, since they lead out of it.
    const path = files.resolveLink(source.path);
    watchFiles(files, path, watched);
    const { digest, listing } = await digestPath(files, memo, path);
    inputs[port] = {
      kind: "path",
      digest,
      files: listing.files.map((file) => ({
        path: file.path,
        sizeBytes: file.sizeBytes,
        digest: file.digest,
        at: file.path === "" ? path : join(path, file.path),
      })),
      references: {},
    };
    digests[port] = digest;
  }
  return { inputs, digests, watched };
}

/** What `stage@*` gives: no files of its own, and every instance's output as a reference by the instance's name. */
export const COLLECTION_KIND = "collection";

export function collectMembers(
  { members }: InputSource & { readonly from: "instances" },
  outputOf: (stage: string, output: string) => ArtifactReference,
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

function watchFiles(files: FileSystem, path: string, watched: Map<string, FileStat>): void {
  const stat = files.stat(path);
  if (stat === undefined) return;
  watched.set(path, stat);
  if (stat.kind === "folder") for (const name of files.list(path)) watchFiles(files, join(path, name), watched);
}
