/**
 * Files by path, wherever they are: in a folder or in an archive. Nothing of an archive is ever unpacked to the disk, so
 * a hostile path in it has nowhere to go; it is refused all the same (`archive.ts`).
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { DataError } from "./data-error.ts";

export interface TreeFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface FileTree {
  /** What it is called in messages. */
  readonly name: string;
  readonly files: readonly TreeFile[];
  /**
   * Reads the `wanted` files, one after the other in the tree's own order, each whole in memory. The next one waits for
   * the promise that `use` returns.
   */
  read(wanted: ReadonlySet<string>, use: (path: string, bytes: Buffer) => void | Promise<void>): Promise<void>;
  /**
   * Hands on the bytes of one file piece by piece, so it may be larger than memory. `use` may stop early; what it throws
   * comes out as it is.
   */
  stream<T>(path: string, use: (pieces: AsyncIterable<Buffer>) => Promise<T>): Promise<T>;
  /** Where a file lies on the disk, where it lies there by itself. */
  pathOf?(path: string): string;
}

/** What is read of an artifact that is a folder of the user's. */
export interface FolderSource {
  path(file?: string): string;
  readonly files: readonly TreeFile[];
}

export function openFolder(name: string, source: FolderSource): FileTree {
  return {
    name,
    files: source.files,
    async read(wanted, use) {
      for (const { path } of source.files) if (wanted.has(path)) await use(path, await readFile(source.path(path)));
    },
    async stream(path, use) {
      const stream = createReadStream(source.path(path));
      try {
        return await use(stream);
      } finally {
        stream.destroy();
      }
    },
    pathOf: (path) => source.path(path),
  };
}

/** The one file that `matches` says yes to by its name (without folders). Throws `DataError` where it is missing or there are two. */
export function findFile(tree: FileTree, matches: (fileName: string) => boolean, described: string): TreeFile {
  const found = tree.files.filter(({ path }) => matches(path.slice(path.lastIndexOf("/") + 1)));
  if (found.length > 1)
    throw new DataError(`${tree.name} has ${described} twice: ${found[0]!.path} and ${found[1]!.path}`);
  if (found.length === 0) throw new DataError(`${tree.name} has no ${described}; ${listing(tree)}`);
  return found[0]!;
}

/** The first few files, to show what was found instead of what was wanted. */
export function listing({ files }: FileTree): string {
  if (files.length === 0) return "it is empty";
  const shown = files.slice(0, 5).map(({ path }) => path);
  return `it holds ${shown.join(", ")}${files.length > 5 ? ` and ${files.length - 5} more files` : ""}`;
}
