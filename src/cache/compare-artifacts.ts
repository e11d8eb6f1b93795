/**
 * Two artifacts, file by file, each in the way of its form: tensors element by element, JSON place by place, anything else
 * by its first byte. Of a chart it is the data that are compared; what is drawn from data that differ is only named.
 */

import type { ListedFile, Listing } from "../identity/listing.ts";
import type { JsonValue } from "../json.ts";
import type { FileSystem } from "../platform/file-system.ts";
import type { ArtifactDifference, ContentComparer, FileDifference } from "./artifact-difference.ts";
import { compareJson } from "./compare-json.ts";

export interface ComparedArtifact {
  readonly digest: string;
  readonly listing: Listing;
  /** Absolute path of an object's bytes. */
  readonly at: (digest: string) => string;
}

interface Parts {
  readonly files: Pick<FileSystem, "readText">;
  readonly comparer: ContentComparer;
}

/** Undefined where they are equal. The bytes of both must be sound. */
export async function compareArtifacts(
  parts: Parts,
  { output, kind }: { readonly output: string; readonly kind: string },
  before: ComparedArtifact,
  after: ComparedArtifact,
): Promise<ArtifactDifference | undefined> {
  if (before.digest === after.digest) return undefined;
  const [old, now] = [byPath(before.listing), byPath(after.listing)];
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  const moved = new Set(paths.filter((path) => old.get(path)?.digest !== now.get(path)?.digest));
  const differing: FileDifference[] = [];
  for (const path of paths) {
    const [a, b] = [old.get(path), now.get(path)];
    if (a === undefined || b === undefined) differing.push({ how: a === undefined ? "added" : "missing", path });
    else if (a.digest === b.digest) {
      if (a.executable !== b.executable) differing.push({ how: "mode", path });
    } else {
      const from = dataOf(path);
      if (from !== undefined && moved.has(from) && old.has(from) && now.has(from))
        differing.push({ how: "drawn", path, from });
      else differing.push(await compareFile(parts, path, before.at(a.digest), after.at(b.digest)));
    }
  }
  const [oldEmpty, nowEmpty] = [before.listing.emptyFolders, after.listing.emptyFolders];
  for (const path of oldEmpty) if (!nowEmpty.includes(path)) differing.push({ how: "missing", path: `${path}/` });
  for (const path of nowEmpty) if (!oldEmpty.includes(path)) differing.push({ how: "added", path: `${path}/` });
  // What tells most comes first: the data, then what was drawn from them.
  const drawn = differing.filter(({ how }) => how === "drawn");
  return {
    output,
    kind,
    before: before.digest,
    after: after.digest,
    files: paths.length,
    differing: [...differing.filter(({ how }) => how !== "drawn"), ...drawn],
  };
}

const byPath = ({ files }: Listing): ReadonlyMap<string, ListedFile> => new Map(files.map((file) => [file.path, file]));

/** `loss.svg` is drawn from `loss.data.json`. */
function dataOf(path: string): string | undefined {
  const stem = /^(.*)\.(?:svg|pdf|png|v[lg]\.json)$/.exec(path)?.[1];
  return stem === undefined ? undefined : `${stem}.data.json`;
}

async function compareFile(
  { files, comparer }: Parts,
  path: string,
  before: string,
  after: string,
): Promise<FileDifference> {
  if (path.endsWith(".safetensors")) {
    const tensors = await comparer.tensors(before, after);
    if (tensors !== undefined && tellsSomething(tensors)) return { how: "tensors", path, ...tensors };
  }
  if (path.endsWith(".json")) {
    const [a, b] = [parse(files.readText(before)), parse(files.readText(after))];
    const values = a === undefined || b === undefined ? undefined : compareJson(a, b);
    if (values !== undefined) return { how: "values", path, ...values };
  }
  return { how: "bytes", path, ...(await comparer.bytes(before, after)) };
}

/** Equal tensors can be written in another way. */
function tellsSomething(found: Omit<FileDifference & { readonly how: "tensors" }, "how" | "path">): boolean {
  const { differing, onlyBefore, onlyAfter, reshaped, metadata } = found;
  return [differing, onlyBefore, onlyAfter, reshaped, metadata].some((part) => part.length > 0);
}

function parse(text: string | undefined): JsonValue | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as JsonValue);
  } catch {
    return undefined;
  }
}
