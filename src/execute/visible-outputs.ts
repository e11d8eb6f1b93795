/**
 * What people open: `artifacts/<pipeline>/<stage>/<output>/...`, copies of what the store has. Compared by digest, put in
 * place by rename, one stage at a time, so nobody ever sees half of a result.
 */
import { join } from "node:path";
import type { TracedOutput } from "../cache/trace-store.ts";
import type { OutputPort } from "../contract.ts";
import { errorCode, isMissing } from "../platform/file-system.ts";
import type { Workspace } from "./workspace.ts";

export interface VisibleOutputs {
  readonly folder: string;
  readonly outputs: Readonly<Record<string, TracedOutput>>;
  readonly ports: Readonly<Record<string, OutputPort>>;
}

/** What of the visible outputs is not what the trace says, in words; undefined where all is. Extra files are the user's. */
export async function findVisibleDifference(
  { files, memo, artifacts }: Pick<Workspace, "files" | "memo" | "artifacts">,
  { folder, outputs, ports }: VisibleOutputs,
): Promise<string | undefined> {
  for (const [name, output] of Object.entries(outputs)) {
    const listing = artifacts.listing(output.digest);
    if (listing === undefined) return `the listing of ${name} is lost`;
    const only = ports[name]?.visible;
    for (const file of listing.files) {
      if (only !== undefined && !only.includes(file.path)) continue;
      const path = join(folder, name, file.path);
      const stat = files.stat(path);
      if (stat === undefined) return `${name}/${file.path} is missing`;
      const { kind, sizeBytes, executable } = stat;
      if (kind !== "file" || sizeBytes !== file.sizeBytes || executable !== file.executable) return changed(name, file);
      if ((await memo.digest(path, stat)) !== file.digest) return changed(name, file);
    }
  }
  return undefined;
}

function changed(name: string, { path }: { readonly path: string }): string {
  return `${name}/${path} was changed`;
}

/** Puts copies in place of whatever is there. Throws `DamagedObject` with the old ones still there. */
export async function placeVisibleOutputs(
  { files, layout, artifacts, memo }: Pick<Workspace, "files" | "layout" | "artifacts" | "memo">,
  { folder, outputs, ports }: VisibleOutputs,
): Promise<void> {
  const staged = layout.temporary();
  const moved: string[] = [];
  /** Where the old ones are now; undefined where there were none. */
  const moveAside = (): string | undefined => {
    const path = layout.temporary();
    try {
      files.rename(folder, path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    moved.push(path);
    return path;
  };
  const putBack = (old: string | undefined): void => {
    try {
      if (old !== undefined) files.rename(old, folder);
    } catch {
      // Then nothing is there, and the next run restores it from the store.
    }
  };
  try {
    files.makeFolder(staged);
    for (const [name, output] of Object.entries(outputs)) {
      const copied = await artifacts.copyOut(output.digest, join(staged, name), ports[name]?.visible);
      // Nobody else has seen the copies yet, and moving their folder does not touch them: the next run need not read them.
      for (const { path, digest } of copied) {
        const stat = files.stat(join(staged, name, path));
        if (stat !== undefined) memo.note(join(folder, name, path), stat, digest, true);
      }
    }
    files.makeFolder(join(folder, ".."));
    // Another run may be placing its copy: whoever comes last wins, and both are whole.
    for (;;) {
      const old = moveAside();
      try {
        files.rename(staged, folder);
        return;
      } catch (error) {
        if (["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "")) continue;
        putBack(old);
        throw error;
      }
    }
  } finally {
    for (const path of [staged, ...moved]) files.remove(path);
  }
}
