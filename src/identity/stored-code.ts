/**
 * What a user's stage was before it was edited: the store keeps its earlier bundles until `pipe gc`, each under its digest,
 * so that a result can be verified by the code that made it.
 */
import { basename, join, relative } from "node:path";
import { canonicalJson } from "../json.ts";
import type { FileSystem } from "../platform/file-system.ts";
import { digestOfCode, type ResolvedCode } from "./code-library.ts";
import { digestBytes } from "./digest.ts";
import type { CodeListing } from "./key-manifest.ts";

export interface WantedCode {
  readonly digest: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly listing: CodeListing;
}

/**
 * `folder`: `.store/code`. Undefined where the store has it no more, where more than the stage's own module was another
 * one (a file it declares, its engine), or where a package has another version by now.
 */
export function findStoredCode(
  files: FileSystem,
  folder: string,
  current: ResolvedCode,
  { digest: wanted, packages, listing }: WantedCode,
): ResolvedCode | undefined {
  if (relative(folder, current.entry).startsWith("..")) return undefined;
  if (canonicalJson(packages) !== canonicalJson(current.packages)) return undefined;
  const digestAt = new Map(current.bundles.map(({ path, digest }) => [path, digest]));
  const beside = {
    assets: Object.fromEntries(Object.entries(current.assets).map(([name, path]) => [name, digestAt.get(path)!])),
    ...(current.engine === undefined ? {} : { engine: digestAt.get(current.engine)! }),
  };
  for (const home of files.list(folder)) {
    const entry = join(folder, home, basename(current.entry));
    if (files.stat(entry)?.kind !== "file") continue;
    const digest = digestBytes(files.read(entry));
    if (digestOfCode({ entry: digest, ...beside }) !== wanted) continue;
    const bundles = current.bundles.map((bundle) => (bundle.path === current.entry ? { path: entry, digest } : bundle));
    return { ...current, digest: wanted, listing, entry, bundles };
  }
  return undefined;
}
