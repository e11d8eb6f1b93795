/**
 * The code of an execution as the store keeps it: which files ran, and where each lay beside the others, so that a result
 * can be verified by what made it after that was edited or replaced by another version. Laid out again, it is those very
 * bytes; packages it imports are today's, which must have the versions that it had.
 */
import { dirname, join } from "node:path";
import type { FileSystem } from "../platform/file-system.ts";
import { digestOfCode, type ResolvedCode } from "./code-library.ts";

export interface StoredCode {
  /** Names in `files`. */
  readonly entry: string;
  readonly assets: Readonly<Record<string, string>>;
  readonly engine?: string;
  /** By the name that each has beside the others. */
  readonly files: Readonly<Record<string, StoredFile>>;
}

/** An object. */
export interface StoredFile {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** `files`: every one of the code's bundles, by its name. */
export function describeStoredCode(
  { entry, assets, engine, bundles }: ResolvedCode,
  files: StoredCode["files"],
): StoredCode {
  const nameAt = new Map(bundles.map(({ path, name }) => [path, name]));
  return {
    entry: nameAt.get(entry)!,
    assets: Object.fromEntries(Object.entries(assets).map(([name, path]) => [name, nameAt.get(path)!])),
    ...(engine === undefined ? {} : { engine: nameAt.get(engine)! }),
    files,
  };
}

/** As it runs from `folder`, where it was laid out. */
export function openStoredCode(
  { entry, assets, engine, files }: StoredCode,
  folder: string,
  { packages, listing }: Pick<ResolvedCode, "packages" | "listing">,
): ResolvedCode {
  const digestOf = (name: string) => files[name]!.digest;
  const assetNames = Object.entries(assets);
  return {
    digest: digestOfCode({
      entry: digestOf(entry),
      assets: Object.fromEntries(assetNames.map(([asset, name]) => [asset, digestOf(name)])),
      ...(engine === undefined ? {} : { engine: digestOf(engine) }),
    }),
    packages,
    listing,
    entry: join(folder, entry),
    assets: Object.fromEntries(assetNames.map(([asset, name]) => [asset, join(folder, name)])),
    ...(engine === undefined ? {} : { engine: join(folder, engine) }),
    bundles: Object.entries(files).map(([name, { digest }]) => ({ path: join(folder, name), digest, name })),
  };
}

/**
 * For code that is laid out in `folder`, the packages that code in `from` finds under these names: through links, so that
 * what each of them imports is looked for where it is installed.
 */
export function linkPackages(files: FileSystem, names: Iterable<string>, from: string, folder: string): void {
  for (const name of names) {
    const installed = findInstalled(files, name, from);
    // Only another package finds it, and still does.
    if (installed === undefined) continue;
    const link = join(folder, "node_modules", name);
    files.makeFolder(dirname(link));
    files.link(files.resolveLink(installed), link);
  }
}

function findInstalled(files: FileSystem, name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const installed = join(folder, "node_modules", name);
    if (files.stat(join(installed, "package.json")) !== undefined) return installed;
    if (dirname(folder) === folder) return undefined;
  }
}
