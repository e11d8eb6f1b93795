/**
 * Makes what a stage left in its staging folder the runner's own. A file with another name elsewhere (a hard link) becomes
 * a copy: whoever writes to that name would write into the store. A folder that was closed can be entered and emptied.
 */
import { join } from "node:path";
import type { StoreLayout } from "../cache/store-layout.ts";
import type { FileSystem } from "../platform/file-system.ts";

export function ownFiles(files: FileSystem, layout: Pick<StoreLayout, "temporary">, folder: string): void {
  files.setMode(folder, "writable-executable");
  for (const name of files.list(folder)) {
    const path = join(folder, name);
    const stat = files.stat(path);
    if (stat?.kind === "folder") ownFiles(files, layout, path);
    if (stat?.kind !== "file" || stat.hardLinks === 1) continue;
    const copy = layout.temporary();
    files.copy(path, copy);
    files.setMode(copy, stat.executable ? "writable-executable" : "writable");
    files.rename(copy, path);
  }
}

/** Also where a command has closed folders of it. */
export function removeStaging(files: FileSystem, staging: string): void {
  const open = (folder: string): void => {
    files.setMode(folder, "writable-executable");
    for (const name of files.list(folder))
      if (files.stat(join(folder, name))?.kind === "folder") open(join(folder, name));
  };
  try {
    files.remove(staging);
  } catch {
    open(staging);
    files.remove(staging);
  }
}
