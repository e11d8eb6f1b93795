/**
 * Artifacts in the store: a folder is kept as its files' blobs and its listing, and opened as paths of those blobs, so
 * that a stage reads gigabytes without a copy. The reserved file `references.json` names artifacts it builds upon.
 */
import { dirname, join } from "node:path";
import type { Artifact } from "../contract.ts";
import { digestPath } from "../identity/artifact-digest.ts";
import { FILE_LANES, inLanes } from "../identity/in-lanes.ts";
import { type ListedFile, type Listing, listingSizeBytes, parseListing, renderListing } from "../identity/listing.ts";
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import { DamagedObject, type ObjectStore, type SealedFile, stillWritten } from "./object-store.ts";

export const REFERENCES_FILE = "references.json";

export interface ArtifactReference {
  readonly kind: string;
  readonly digest: string;
}

export interface StoredArtifact extends ArtifactReference {
  readonly sizeBytes: number;
}

/** An artifact as plain data, for the worker process: where each file is, and what it references. */
export interface ArtifactPaths {
  readonly kind: string;
  readonly digest: string;
  readonly files: readonly {
    readonly path: string;
    readonly sizeBytes: number;
    readonly digest: string;
    readonly at: string;
  }[];
  readonly references: Readonly<Record<string, ArtifactPaths>>;
}

export interface ArtifactStore {
  /**
   * Moves the files of a staging folder (on the store's file system) in, and leaves the folder empty. Throws
   * `UnfitForArtifact` where one of them is still being written to.
   */
  takeIn(folder: string, kind: string): Promise<StoredArtifact>;
  /** The listing, or undefined where it is lost or damaged. */
  listing(digest: string): Listing | undefined;
  /** A small file of an artifact, verified; undefined where there is none, or where it is not what it was. */
  read(digest: string, path: string): Uint8Array | undefined;
  /** Checks the listing, every blob, and what it references. Names the first object that is not sound. */
  inspect(digest: string, thoroughly?: boolean): Promise<DamagedObject | undefined>;
  /** Throws `DamagedObject` where a listing is lost. */
  locate(reference: ArtifactReference): ArtifactPaths;
  /** Copies the files that `only` names (all where it is left out) under `folder`, verified. Gives what it copied. */
  copyOut(digest: string, folder: string, only?: readonly string[]): Promise<readonly ListedFile[]>;
}

export function createArtifactStore(files: FileSystem, objects: ObjectStore): ArtifactStore {
  const soundListing = (digest: string): Listing => parseListing(objects.readText(digest));
  const referencesIn = (found: Listing): Readonly<Record<string, ArtifactReference>> => {
    const file = found.files.find(({ path }) => path === REFERENCES_FILE);
    return file === undefined ? {} : parseReferences(objects.readText(file.digest));
  };
  const listing = (digest: string): Listing | undefined => orUndefined(() => soundListing(digest));
  const inspect = async (digest: string, thoroughly = false): Promise<DamagedObject | undefined> => {
    try {
      const found = soundListing(digest);
      await inLanes(found.files, FILE_LANES, async (file) => {
        const state = await objects.inspect(file.digest, file.sizeBytes, thoroughly);
        if (state !== "sound") throw new DamagedObject(file.digest, state);
      });
      for (const reference of Object.values(referencesIn(found))) {
        const damaged = await inspect(reference.digest, thoroughly);
        if (damaged !== undefined) return damaged;
      }
      return undefined;
    } catch (error) {
      if (error instanceof DamagedObject) return error;
      throw error;
    }
  };
  const locate = ({ kind, digest }: ArtifactReference): ArtifactPaths => {
    const found = soundListing(digest);
    return {
      kind,
      digest,
      files: found.files.map((file) => ({
        path: file.path,
        sizeBytes: file.sizeBytes,
        digest: file.digest,
        at: objects.path(file.digest),
      })),
      references: Object.fromEntries(
        Object.entries(referencesIn(found)).map(([name, target]) => [name, locate(target)]),
      ),
    };
  };
  return {
    listing,
    inspect,
    locate,
    read(digest, path) {
      const file = listing(digest)?.files.find((candidate) => candidate.path === path);
      return file === undefined ? undefined : objects.read(file.digest);
    },
    async takeIn(folder, kind) {
      const sealed: SealedFile[] = [];
      const digestSealed = async (path: string, before: FileStat) => {
        const file = await objects.seal(path);
        // The listing says the size that was found first.
        if (file.stat.sizeBytes !== before.sizeBytes) throw stillWritten(path);
        sealed.push(file);
        return file.digest;
      };
      const { digest, listing: found } = await digestPath(files, { digest: digestSealed }, folder);
      for (const file of sealed) objects.takeIn(file);
      objects.put(renderListing(found));
      return { kind, digest, sizeBytes: listingSizeBytes(found) };
    },
    async copyOut(digest, folder, only) {
      const found = soundListing(digest);
      files.makeFolder(folder);
      const chosen = found.files.filter(({ path }) => only === undefined || only.includes(path));
      await inLanes(chosen, FILE_LANES, async (file) => {
        const to = join(folder, file.path);
        files.makeFolder(dirname(to));
        await objects.copyOut(file.digest, file.sizeBytes, to, file.executable);
      });
      if (only === undefined) for (const path of found.emptyFolders) files.makeFolder(join(folder, path));
      return chosen;
    },
  };
}

/** Throws where the text is no `references.json` of ours. */
export function parseReferences(text: string): Readonly<Record<string, ArtifactReference>> {
  const references: unknown = JSON.parse(text);
  const isReference = (value: unknown) => {
    const { kind, digest } = (value ?? {}) as Partial<ArtifactReference>;
    return typeof kind === "string" && /^[0-9a-f]{64}$/.test(digest ?? "");
  };
  if (typeof references !== "object" || references === null || !Object.values(references).every(isReference))
    throw new Error(`not a ${REFERENCES_FILE}`);
  return references as Readonly<Record<string, ArtifactReference>>;
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof DamagedObject) return undefined;
    throw error;
  }
}

/** The read-only view a stage gets. */
export function openArtifact(paths: ArtifactPaths): Artifact {
  const at = new Map(paths.files.map((file) => [file.path, file.at]));
  return {
    kind: paths.kind,
    digest: paths.digest,
    files: paths.files.map(({ path, sizeBytes, digest }) => ({ path, sizeBytes, digest })),
    references: Object.fromEntries(
      Object.entries(paths.references).map(([name, target]) => [name, openArtifact(target)]),
    ),
    path(file = "") {
      const found = at.get(file);
      if (found === undefined)
        throw new Error(`the artifact has no file ${JSON.stringify(file)}; it has ${[...at.keys()].join(", ")}`);
      return found;
    },
  };
}
