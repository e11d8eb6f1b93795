/** Which file a program's name leads to, by the rule that `execvp` has. */
import { isAbsolute, join, resolve } from "node:path";
import { type FileSystem, isRefusal } from "./file-system.ts";

export interface ProgramPlaces {
  /** Folders with `:` between them, as in PATH. */
  readonly searchPath: string;
  /** Where a name with a slash, and a relative folder of the search path, start from. */
  readonly folder: string;
}

/** Links followed; undefined where there is no such program. */
export function findProgram(
  files: Pick<FileSystem, "stat" | "resolveLink">,
  name: string,
  { searchPath, folder }: ProgramPlaces,
): string | undefined {
  const candidates = name.includes("/")
    ? [isAbsolute(name) ? name : resolve(folder, name)]
    : searchPath.split(":").map((part) => join(resolve(folder, part), name));
  for (const candidate of candidates) {
    const path = files.resolveLink(candidate);
    try {
      const stat = files.stat(path);
      if (stat?.kind === "file" && stat.executable) return path;
    } catch (error) {
      // A folder of the search path that may not be entered has no program for us, as for a shell.
      if (!isRefusal(error)) throw error;
    }
  }
  return undefined;
}
