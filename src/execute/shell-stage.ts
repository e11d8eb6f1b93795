/**
 * A shell stage from its inputs to its outputs: each input is a private copy (a clone where the file system can) that was
 * verified by digest, the command finds every place and value in environment variables, and what it declared must be
 * there when it ends, with nothing beside it.
 *
 *   <staging>/inputs/<port>/<file>      or the folder itself; of `stage@*` a folder per instance
 *   <staging>/outputs/<output>/<path>   where the command writes
 */
import { dirname, join } from "node:path";
import type { ArtifactPaths } from "../cache/artifact-store.ts";
import { digestPath } from "../identity/artifact-digest.ts";
import { digestFile } from "../identity/digest.ts";
import type { InputSource, PipelineStage, ShellCommand } from "../language/pipeline.ts";
import type { FileSystem } from "../platform/file-system.ts";
import { findProgram } from "../platform/find-program.ts";
import { runShellProcess, type ShellProcessOptions } from "./shell-process.ts";
import { stageEnvironment } from "./stage-environment.ts";
import { FILE_KIND } from "./stage-inputs.ts";
import type { StageKey } from "./stage-key.ts";
import type { StageResult } from "./stage-process.ts";
import type { Workspace } from "./workspace.ts";

export interface ShellStageRequest extends Omit<ShellProcessOptions, "words" | "folder" | "environment"> {
  readonly stage: PipelineStage;
  readonly command: ShellCommand;
  readonly key: StageKey;
  readonly inputs: Readonly<Record<string, ArtifactPaths>>;
  readonly staging: string;
  /** Staging folder by output. */
  readonly outputs: Readonly<Record<string, string>>;
  /** The user's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type ShellParts = Pick<Workspace, "files" | "artifacts">;

export async function runShellStage(workspace: ShellParts, request: ShellStageRequest): Promise<StageResult> {
  const { files } = workspace;
  const { stage, command, key, inputs, outputs, staging, environment, ...process } = request;
  const { places } = key.manifest.command!;
  if (files.stat(files.resolveLink(command.folder))?.kind !== "folder")
    return failed(`its working folder ${command.folder} is not there`, "`folder` is relative to the pipeline's file");
  const environmentOf = (values: Readonly<Record<string, string>>) => stageEnvironment(environment, stage.env, values);
  const [shell] = command.shell;
  const searchPath = environmentOf({}).PATH ?? "";
  if (findProgram(files, shell!, { searchPath, folder: command.folder }) === undefined)
    return failed(`there is no program ${shell} to run its command`, "install it, or set another `shell`");
  const variables: Record<string, string> = { ...command.values };
  for (const [port, paths] of Object.entries(inputs)) {
    const folder = join(staging, "inputs", folderName(port));
    const place = join(folder, places[port] ?? "");
    if (!(await placeInput(workspace, stage.inputs[port]!, paths, { folder, place })))
      return failed(`input ${port} was changed while it was read`, "run it again once the file is still");
    const variable = command.inputVariables[port];
    if (variable !== undefined) variables[variable] = place;
  }
  for (const [name, path] of Object.entries(command.outputPaths)) {
    const place = join(outputs[name]!, path);
    files.makeFolder(dirname(place));
    const variable = command.outputVariables[name];
    if (variable !== undefined) variables[variable] = place;
  }
  return runShellProcess({
    ...process,
    words: [...command.shell, command.script],
    folder: command.folder,
    environment: environmentOf(variables),
  });
}

/** A port's name, or where that is no plain one something that leads nowhere else. */
function folderName(port: string): string {
  return /^[\w-]+$/.test(port) ? port : Buffer.from(port).toString("hex");
}

/** False where a file of the user's is no longer what was digested. Throws `DamagedObject` where one of the store is. */
async function placeInput(
  { files, artifacts }: ShellParts,
  source: InputSource,
  { digest, references }: ArtifactPaths,
  { folder, place }: { readonly folder: string; readonly place: string },
): Promise<boolean> {
  switch (source.from) {
    case "instances":
      files.makeFolder(folder);
      for (const [name, member] of Object.entries(references))
        await artifacts.copyOut(member.digest, join(folder, name));
      return true;
    case "stage":
      await artifacts.copyOut(digest, folder);
      return true;
    case "path": {
      files.makeFolder(dirname(place));
      copyTree(files, files.resolveLink(source.path), place);
      const copied = await digestPath(files, { digest: (path) => digestFile(files, path) }, place);
      return copied.digest === digest;
    }
  }
}

function copyTree(files: FileSystem, from: string, to: string): void {
  const stat = files.stat(from);
  if (stat?.kind === "folder") {
    files.makeFolder(to);
    for (const name of files.list(from)) copyTree(files, join(from, name), join(to, name));
  } else if (stat?.kind === "file") {
    files.copy(from, to);
    files.setMode(to, stat.executable ? "writable-executable" : "writable");
  }
}

export interface StagedOutput {
  /** What is in it is the artifact. */
  readonly folder: string;
  readonly kind: string;
}

export type StagedOutputs =
  | { readonly found: Readonly<Record<string, StagedOutput>> }
  | { readonly problem: string; readonly help?: string };

/** Each output as the command left it, or what is wrong with them. A file stands in a folder of its own. */
export function findShellOutputs(
  files: FileSystem,
  { outputPaths }: ShellCommand,
  outputs: Readonly<Record<string, string>>,
): StagedOutputs {
  const found: Record<string, StagedOutput> = {};
  const root = dirname(Object.values(outputs)[0] ?? "");
  const strangers = files.list(root).filter((name) => !Object.hasOwn(outputs, name));
  if (strangers.length > 0) return undeclared(strangers[0]!);
  for (const [name, path] of Object.entries(outputPaths)) {
    const folder = outputs[name]!;
    const stranger = findStranger(files, folder, path.split("/"));
    if (stranger !== undefined) return undeclared(`${name}/${stranger}`);
    const kind = files.stat(join(folder, path))?.kind;
    if (kind === "file") found[name] = { folder: dirname(join(folder, path)), kind: FILE_KIND };
    else if (kind === "folder") found[name] = { folder: join(folder, path), kind: "folder" };
    else if (kind === undefined)
      return {
        problem: `its command ended well and did not write its output ${name} (${path})`,
        help: `it writes to "\${outputs.${name}}", which is a place of its own and not ${path} in the working folder`,
      };
    else
      return {
        problem: `its output ${name} (${path}) is neither a file nor a folder`,
        help: "copy what a link leads to instead",
      };
  }
  return { found };
}

function undeclared(path: string): StagedOutputs {
  return {
    problem: `its command wrote ${path} beside its outputs, which it does not declare`,
    help: "list it under `outputs`, or write what is only needed meanwhile under $TMPDIR",
  };
}

/** A name on the way to a path that does not lead there. */
function findStranger(files: FileSystem, folder: string, [first, ...rest]: readonly string[]): string | undefined {
  const stranger = files.list(folder).find((name) => name !== first);
  if (stranger !== undefined) return stranger;
  if (rest.length === 0) return undefined;
  const deeper = findStranger(files, join(folder, first!), rest);
  return deeper === undefined ? undefined : `${first}/${deeper}`;
}

function failed(message: string, help: string): StageResult {
  return { result: "failed", failure: { message, help, lastOutput: [] } };
}
